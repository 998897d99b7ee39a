"""`galw dead-letters`: records from Kafka that a service could not apply."""

from collections.abc import AsyncGenerator
from typing import Any

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.output import Screen, progress_of, say, table_of

_SERVICES = ("crm", "dialer", "notifier")


@click.group()
def command() -> None:
    """Records from Kafka that a service could not apply: dead for a person to look at, parked to be tried again.

    \b
    Examples:
      galw dead-letters list
      galw dead-letters show ID
      galw dead-letters replay ID          # after the cause is mended
      galw dead-letters discard ID
    """


@command.command("list")
@click.option("--service", type=click.Choice(_SERVICES), help="Only of this service.")
@click.option("--topic", help="Only of this topic.")
@click.option("--state", type=click.Choice(["dead", "parked"]), help="Only these.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one record a line.")
@with_client
async def list_letters(
    client: GalwClient, *, service: str | None, topic: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """List records that could not be applied, newest first for each service.

    \b
    Examples:
      galw dead-letters list
      galw dead-letters list --service dialer --topic crm.enrolments.v1 --json
    """
    table = table_of("id", "service", "state", "topic", "since", "reason")
    shown = 0
    async for one in _letters(client, service, topic, state, limit):
        shown += 1
        if as_json:
            say(orjson.dumps(one))
        else:
            table.add_row(one["id"], one["service"], one["state"], one["topic"], one["since"][:19], one["reason"])
    if not as_json:
        Screen().print(table if shown else "There are none: everything was applied.")


@command.command("show")
@click.argument("letter_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def show(client: GalwClient, letter_id: object, *, as_json: bool) -> None:
    """Show one record with its bytes, which may name a person; it is logged who looked.

    \b
    Example:
      galw dead-letters show ID
    """
    service, found = await _find(client, letter_id)
    if as_json:
        say(orjson.dumps({"service": service, **found}))
        return
    place = f"{found['topic']}/{found['partition']} at {found['record_offset']}"
    say(f"{service}: {found['state']}, {place}, since {found['since']}")
    say(f"reason: {found['reason']}")
    for name, value in found["headers"].items():
        say(f"  {name}: {value}")
    say(found["text"] if found["text"] is not None else f"(not text; base64) {found['value']}")


@command.command("replay")
@click.argument("letter_id", type=click.UUID, required=False)
@click.option("--all", "everything", is_flag=True, help="All that --service, --topic and --state choose.")
@click.option("--service", type=click.Choice(_SERVICES), help="With --all: of this service.")
@click.option("--topic", help="With --all: of this topic.")
@click.option("--state", type=click.Choice(["dead", "parked"]), help="With --all: only these.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one record a line.")
@with_client
async def replay(
    client: GalwClient,
    letter_id: object,
    *,
    everything: bool,
    service: str | None,
    topic: str | None,
    state: str | None,
    as_json: bool,
) -> None:
    """Try a record again at once; one that fails again comes back with its new reason.

    \b
    Examples:
      galw dead-letters replay ID
      galw dead-letters replay --all --topic crm.enrolments.v1
    """
    if (letter_id is None) != everything:
        raise CommandError("Name either one ID or --all. See: galw dead-letters list", Exit.USAGE)
    if letter_id is not None:
        service, _ = await _find(client, letter_id)
        done = await client.post(f"/api/{service}/dead-letters/{letter_id}/replay")
        say(orjson.dumps(done) if as_json else "It is tried again now. See what is left: galw dead-letters list")
        return
    # Chosen before the first is replayed: one that fails again comes back, and would be met twice.
    chosen = [one async for one in _letters(client, service, topic, state, 100_000)]
    with progress_of(quiet=as_json) as progress:
        for one in progress.track(chosen, description="Replaying"):
            done = await client.post(f"/api/{one['service']}/dead-letters/{one['id']}/replay")
            if as_json:
                say(orjson.dumps(done))
    if not as_json:
        say(f"{len(chosen)} are tried again now. See what is left: galw dead-letters list")


@command.command("discard")
@click.argument("letter_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; does not ask.")
@with_client
async def discard(client: GalwClient, letter_id: object, *, yes: bool, as_json: bool) -> None:
    """Discard a record for good: nobody will ever hear of it.

    \b
    Example:
      galw dead-letters discard ID
    """
    service, found = await _find(client, letter_id)
    if not (yes or as_json):
        click.confirm(f"Discard this record of {found['topic']} ({found['reason']}) for good?", abort=True)
    await client.request("DELETE", f"/api/{service}/dead-letters/{letter_id}")
    say(orjson.dumps({"discarded": str(letter_id)}) if as_json else "Discarded.")


async def _letters(
    client: GalwClient, service: str | None, topic: str | None, state: str | None, limit: int
) -> AsyncGenerator[Any]:
    for name in (service,) if service else _SERVICES:
        async for one in client.some(f"/api/{name}/dead-letters", limit, {"topic": topic, "state": state}):
            yield {"service": name, **one}


async def _find(client: GalwClient, letter_id: object) -> tuple[str, Any]:
    """Return the service that keeps the record, and the record."""
    for service in _SERVICES:
        try:
            return service, await client.get(f"/api/{service}/dead-letters/{letter_id}")
        except CommandError as error:
            if error.exit_code != Exit.NOT_FOUND:
                raise
    raise CommandError(f"No service keeps a record {letter_id}. See: galw dead-letters list", Exit.NOT_FOUND)
