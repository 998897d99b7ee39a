"""`galw gate`: ask whom may be called, when and how, and hear which rules say so."""

import gc
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.dialer import packloader
from services.dialer.domain.gate import Decision, FactError, Packs, decide, parse_facts
from services.dialer.domain.gate.nodes import PackError, from_json
from services.dialer.domain.gate.parse import parse_pack
from services.runtime.repeats import repeated_field

LINE_LIMIT = 1_000_000  # Bytes; a line of facts has about a thousand.
_MARKS = {"allow": "✓", "defer": "…", "deny": "✗"}


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
    lines: Iterable[bytes] = [orjson.dumps(_facts_of(options))] if source is None else _lines(source)
    write = sys.stdout.buffer.write
    failed = False
    with seldom_collecting():
        for line in lines:
            answer = answer_line(line, packs)
            failed = failed or isinstance(answer, dict)
            write(_render(answer, as_json))
            # Whoever feeds line by line waits for each answer.
            sys.stdout.buffer.flush()
    if failed and source is None:
        sys.exit(2)


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
        click.echo(orjson.dumps(found))
        return
    click.echo(f"{found['differ']} of {found['asked']} decisions would have differed.")
    if found["skipped"]:
        click.echo(f"{found['skipped']} have no facts any more.")
    for rule, count in found["by_rule"].items():
        click.echo(f"  {count:>7}  {rule}")
    for one in found["examples"]:
        until = f" until {one['until']}" if one["until"] else ""
        click.echo(
            f"  {one['attempt_id']}: {one['was']}, would be {one['would_be']}{until} ({', '.join(one['rules'])})"
        )


def _tell_replay(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(found))
    else:
        packs = ", ".join(f"{name} {version}" for name, version in found["stored"]["packs"].items())
        click.echo(f"Decided under {packs}.")
        if found["agrees"]:
            click.echo(f"The same again: {found['again']['decision']}.")
        for name in found["stored"] if not found["agrees"] else ():
            if found["stored"][name] != found["again"].get(name):
                click.echo(f"{name} was {found['stored'][name]}, is {found['again'].get(name)}")
    if not found["agrees"]:
        raise CommandError("The decision differs: the gate itself has changed.", Exit.FAILED)


def answer_line(line: bytes, packs: Packs) -> Decision | dict[str, Any]:
    """Return the decision for one line of JSON, or what is wrong with it; never raises for what a line contains."""
    try:
        value = read_line(line)
        if isinstance(value, dict) and value.get("organisation_packs"):
            packs, value = _with_packs(cast("dict[str, Any]", value), packs)
        facts, at = parse_facts(value, packs.places)
        return decide(facts, packs, at)
    except FactError as error:
        return error.to_json()


def read_line(line: bytes) -> object:
    """Return the JSON value of one line of facts; raises `FactError`."""
    if len(line) > LINE_LIMIT:
        raise FactError("facts", f"a line of at most {LINE_LIMIT:,} bytes")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise FactError("facts", f"one JSON object a line ({error.msg.partition(': line ')[0]})") from error
    try:
        twice = repeated_field(line, value)
    except RecursionError as error:
        raise FactError("facts", "no objects nested hundreds deep") from error
    if twice is not None:
        raise FactError(twice, "each field once")
    return value


def _with_packs(value: dict[str, Any], packs: Packs) -> tuple[Packs, dict[str, Any]]:
    """Return packs that know those given in the facts themselves, and the facts naming them by id."""
    given = value["organisation_packs"]
    if not isinstance(given, list):
        raise FactError("organisation_packs", "a list of packs, each its id or the pack itself")
    more, names = dict(packs.optional), list[object]()
    in_force = {pack.id for pack in packs.in_force}
    for index, item in enumerate(given):
        field = f"organisation_packs[{index}]"
        if isinstance(item, dict):
            try:
                pack = parse_pack(from_json(item), field)
            except RecursionError as error:
                raise FactError(field, "a pack, not objects hundreds deep") from error
            except PackError as error:
                raise FactError(field, f"a valid pack: {error}") from error
            if pack.id in in_force or (pack.extends is not None and pack.extends not in in_force):
                raise FactError(field, "a pack with an id of its own that extends none, or one in force")
            more[pack.id] = pack
            names.append(pack.id)
        elif isinstance(item, str) and (item in more or item in in_force):
            names += [item] if item in more else []
        else:
            raise FactError(field, "the id of a pack that is there, or the pack itself")
    return Packs(packs.places, packs.in_force, more), {**value, "organisation_packs": names}


@contextmanager
def seldom_collecting() -> Generator[None]:
    """Look for circular garbage seldom, and not in the packs: answers make none, and it took a third of the time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(200_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield each line, of one too long no more than shows that it is: one line in is one answer out."""
    while line := source.readline(LINE_LIMIT + 2):
        yield line.rstrip(b"\n")
        while len(line) == LINE_LIMIT + 2 and not line.endswith(b"\n"):
            line = source.readline(LINE_LIMIT + 2)


def _render(answer: Decision | dict[str, Any], as_json: bool) -> bytes:
    if isinstance(answer, dict):
        if as_json:
            return orjson.dumps(answer) + b"\n"
        error = answer["error"]
        return f"{error['field']}: expected {error['expected']}\n".encode()
    if as_json:
        return orjson.dumps(answer.to_json()) + b"\n"
    return _describe(answer).encode()


def _describe(decision: Decision) -> str:
    stored = decision.to_json()
    head = decision.decision + (f" until {stored['until']}" if decision.until else "")
    rules = [f"  {_MARKS[r.says]} {r.id:<28} {r.says:<6} {r.text} [{r.cite}]" for r in decision.rules]
    facts = (
        ("modes now", decision.allowed_modes),
        ("zones", decision.zones),
        ("law of", decision.jurisdictions),
        ("packs", [f"{name} {version}" for name, version in decision.packs.items()]),
        ("drafts", decision.drafts),
    )
    tail = [f"  {name}: {', '.join(values)}" for name, values in facts if values]
    return "\n".join([head, *rules, *tail, f"  rings at least {decision.min_ring_s} s"]) + "\n"


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
