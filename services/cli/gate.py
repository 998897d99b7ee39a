"""`galw gate`: ask whom may be called, when and how, and hear which rules say so."""

import sys
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.facts import answer_line, answer_stream, render
from services.cli.output import say
from services.dialer import packloader
from services.dialer.domain.gate.nodes import PackError


@click.group()
def command() -> None:
    """Ask the compliance gate."""


@command.command()
@click.option("--number", help="Whom to call, in E.164 form.")
@click.option("--at", "at", help="When, with its offset: 2026-11-23T20:30:00-05:00.")
@click.option("--purpose", help="marketing, informational, debt_collection, emergency or survey.")
@click.option("--mode", help="manual, preview, progressive, predictive or prerecorded.")
@click.option("--channel", help="voice, sms or email.")
@click.option("--line-type", help="mobile, landline or unknown.")
@click.option("--region", help="Where the person lives, by ISO 3166-2: US-FL, or FR.")
@click.option("--postal-code", help="The postal code there.")
@click.option("--subject", help="What the call is about.")
@click.option("--consent", multiple=True, help="KIND or KIND@INSTANT: a consent to this purpose and channel.")
@click.option("--customer-since", help="A customer, who last bought on this date.")
@click.option("--scrub", multiple=True, help="LIST@DATE: compared with this version of the list, and not on it.")
@click.option("--refused-at", help="When the person said no.")
@click.option("--suppressed", is_flag=True, help="The person asked never to be contacted again.")
@click.option(
    "--facts", "source", type=click.File("rb"), help="A file (- is standard input) of facts, one JSON a line."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, one object a line.")
@click.option("--packs", "folders", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="A folder with packs of your own, in force beside the shipped ones.")  # fmt: skip
def explain(source: BinaryIO | None, as_json: bool, folders: tuple[Path, ...], **options: Any) -> None:
    """Say whether a call may be made, until when it has to wait, and which rules say so.

    Either by options, or by --facts with one JSON object a line. A fact that is not stated is taken as the stricter
    one; docs/gate.md lists which that is for each. By options the person counts as not suppressed unless --suppressed.

    \b
    Example:
      galw gate explain --number +441632960123 --purpose survey --mode progressive --at 2027-03-30T10:30:00+01:00
    """
    try:
        packs = packloader.load_packs(folders)
    except PackError as error:
        raise click.ClickException(str(error)) from error
    if source is None:
        answer = answer_line(orjson.dumps(_facts_of(options)), packs)
        sys.stdout.buffer.write(render(answer, as_json))
        sys.exit(2 if isinstance(answer, dict) else 0)
    for answers in answer_stream(source, packs, as_json):
        sys.stdout.buffer.write(answers)
        # Whoever feeds line by line waits for each answer.
        sys.stdout.buffer.flush()


@command.command("replay")
@click.option("--attempt", "attempt_id", help="Decide again about this attempt, under the versions that decided.")
@click.option("--since", help="Take again every decision since this instant (with its offset).")
@click.option("--before", help="... and before this one; now by default.")
@click.option("--campaign", "campaign_id", help="... of this campaign only.")
@click.option("--with", "pack", type=click.File(encoding="utf-8"), help="... as if this pack had been in force.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_client
async def replay_decisions(
    client: GalwClient,
    attempt_id: str | None,
    since: str | None,
    before: str | None,
    campaign_id: str | None,
    pack: TextIO | None,
    *,
    as_json: bool,
) -> None:
    """Decide again from stored facts: one attempt, which must agree, or many under another pack.

    \b
    Example:
      galw gate replay --since 2026-11-24T00:00:00Z --with us-fl-2026.2.yaml
    """
    if (attempt_id is None) == (since is None):
        raise CommandError("Give either --attempt or --since.", Exit.USAGE)
    if attempt_id is not None:
        found = await client.get(f"/api/dialer/attempts/{attempt_id}/replay")
        _tell_replay(found, as_json)
        return
    wish: dict[str, Any] = {"since": since, "before": before, "campaign_id": campaign_id}
    wish["text"] = None if pack is None else pack.read()
    found = await client.post("/api/dialer/gate/replay", wish)
    if as_json:
        say(orjson.dumps(found))
        return
    say(f"{found['differ']} of {found['asked']} decisions would have differed.")
    if found["skipped"]:
        say(f"{found['skipped']} have no facts any more.")
    for rule, count in found["by_rule"].items():
        say(f"  {count:>7}  {rule}")
    for one in found["examples"]:
        until = f" until {one['until']}" if one["until"] else ""
        say(f"  {one['attempt_id']}: {one['was']}, would be {one['would_be']}{until} ({', '.join(one['rules'])})")


def _tell_replay(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(orjson.dumps(found))
    else:
        packs = ", ".join(f"{name} {version}" for name, version in found["stored"]["packs"].items())
        say(f"Decided under {packs}.")
        if found["agrees"]:
            say(f"The same again: {found['again']['decision']}.")
        for name in found["stored"] if not found["agrees"] else ():
            if found["stored"][name] != found["again"].get(name):
                say(f"{name} was {found['stored'][name]}, is {found['again'].get(name)}")
    if not found["agrees"]:
        raise CommandError("The decision differs: the gate itself has changed.", Exit.FAILED)


def _facts_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that the options state, in the form of --facts."""
    names = ("number", "at", "purpose", "mode", "channel", "line_type", "subject", "refused_at", "suppressed")
    facts = {name: options[name] for name in names if options[name] is not None}
    country, _, region = (options["region"] or ("US" if options["postal_code"] else "")).partition("-")
    if country:
        facts["address"] = {"country": country, "region": region or None, "postal_code": options["postal_code"]}
    facts["scrubs"] = {
        name: {"version_on": version or None, "listed": False}
        for name, _, version in (text.partition("@") for text in options["scrub"])
    }
    facts["consents"] = [
        {
            "kind": kind,
            "purpose": options["purpose"],
            "channel": options["channel"] or "voice",
            "given_at": given_at or "2000-01-01T00:00:00Z",
        }
        for kind, _, given_at in (text.partition("@") for text in options["consent"])
    ]
    if options["customer_since"]:
        facts["relationship"] = {"kind": "customer", "since": options["customer_since"]}
    return facts


if __name__ == "__main__":
    command()
