"""`galw messages`: what people were written, what they wrote back, and the words that are used."""

from pathlib import Path
from typing import Any

import click
import orjson
import yaml

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.finding import find_id
from services.cli.output import Screen, say, table_of

_MESSAGES = "/api/notifier/messages"
_INBOUND = "/api/notifier/inbound"
_TEMPLATES = "/api/notifier/templates"
_STATES = ("pending", "sent", "delivered", "failed", "suppressed", "expired")


@click.group()
def command() -> None:
    """Messages to people and what they wrote back.

    \b
    Examples:
      galw messages outbox --campaign "Spring survey"
      galw messages receive --from +447700900001 STOP
    """


@command.group()
def templates() -> None:
    """The words of messages, in Liquid, by language."""


@command.command("outbox")
@click.option("--campaign", help="Only of this campaign (id or name).")
@click.option("--contact", "contact_id", type=click.UUID, help="Only to this person.")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one message a line.")
@with_client
async def outbox(
    client: GalwClient, *, campaign: str | None, contact_id: object, state: str | None, limit: int, as_json: bool
) -> None:
    """List messages to people, newest first.

    \b
    Examples:
      galw messages outbox
      galw messages outbox --campaign "Spring survey" --state sent --json
    """
    campaign_id = await find_id(client, "/api/dialer/campaigns", campaign, "campaign") if campaign else None
    chosen = {"campaign_id": campaign_id, "contact_id": contact_id, "state": state}
    table = table_of("requested", "to", "channel", "state", "text")
    shown = 0
    async for one in client.some(_MESSAGES, limit, chosen):
        shown += 1
        if as_json:
            say(orjson.dumps(one))
        else:
            state_text = one["state"] + (f": {one['reason']}" if one["reason"] else "")
            table.add_row(one["requested_at"][:19], one["to"] or "–", one["channel"], state_text, one["body"] or "–")
    if not as_json:
        Screen().print(table if shown else "No message fits.")


@command.command("inbound")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one a line.")
@with_client
async def inbound(client: GalwClient, *, limit: int, as_json: bool) -> None:
    """List what people wrote, newest first.

    \b
    Example:
      galw messages inbound
    """
    table = table_of("received", "channel", "meaning", "people", "text")
    async for one in client.some(_INBOUND, limit):
        if as_json:
            say(orjson.dumps(one))
        else:
            people = str(len(one["contact_ids"]))
            table.add_row(
                one["received_at"][:19], one["channel"], one["meaning"].replace("_", " "), people, one["text"]
            )
    if not as_json:
        Screen().print(table)


@command.command("receive")
@click.argument("text")
@click.option("--from", "address", required=True, help="The number with its country code, or the e-mail address.")
@click.option("--channel", type=click.Choice(["sms", "email"]), default="sms", show_default=True, help="How it came.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def receive(client: GalwClient, text: str, *, address: str, channel: str, as_json: bool) -> None:
    """Hand over what a person wrote; a STOP, in many languages, ends calls and messages at once.

    \b
    Example:
      galw messages receive --from +447700900001 STOP
    """
    heard = await client.post(_INBOUND, {"channel": channel, "text": text, "address": address})
    people = len(heard["contact_ids"])
    meaning = {"opt_out": "an opt-out: no more calls and messages", "help": "a question for help", "reply": "a reply"}
    whom = f"it concerns {people} {'person' if people == 1 else 'people'}"
    if not people and heard["meaning"] == "opt_out":
        whom = "nobody was written to there, so it is kept for whoever has that address"
    say(orjson.dumps(heard) if as_json else f"Understood as {meaning[heard['meaning']]}; {whom}.")


@templates.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one template a line.")
@with_client
async def list_templates(client: GalwClient, *, as_json: bool) -> None:
    """List templates with their latest version.

    \b
    Example:
      galw messages templates list
    """
    table = table_of("name", "version", "channel", "languages", "variables")
    async for one in client.pages(_TEMPLATES):
        if as_json:
            say(orjson.dumps(one))
        else:
            words = (one["channel"], ", ".join(sorted(one["texts"])), ", ".join(one["variables"]) or "–")
            table.add_row(one["name"], str(one["version"]), *words)
    if not as_json:
        Screen().print(table)


@templates.command("publish")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def publish(client: GalwClient, name: str, file: Path, *, as_json: bool) -> None:
    """Publish the template NAME, or its next version, from a YAML or JSON FILE.

    \b
    A whole file:
      channel: sms
      default_language: en
      texts:
        en: {body: "{{ organisation }} tried to call you. Reply STOP and we will not try again."}
        cy: {body: "Ceisiodd {{ organisation }} eich ffonio. Atebwch STOP ac ni fyddwn yn ceisio eto."}
    \b
    Example:
      galw messages templates publish missed-you missed-you.yaml
    """
    made = (await client.request("PUT", f"{_TEMPLATES}/{name}", body=_read(file))).body
    say(orjson.dumps(made) if as_json else f"{made['name']!r} is published in version {made['version']}.")


def _read(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is neither YAML nor JSON: {error}", Exit.USAGE) from error
