"""`galw contacts`: bring people in from a file, find them, look at one, write down a no."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import click
import orjson
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.output import moment, progress_of, say

_BLOCK = 256 * 1024
_POLL_S = 0.5
_TARGETS = (
    "phone, mobile, landline, external_id, name, first_name, last_name, language, country, region, postal_code, "
    "time_zone, email, relationship, relationship_since, ignore, or attributes.NAME"
)


@click.group()
def command() -> None:
    """Bring contacts in, find them, look at one, write down a no.

    \b
    Examples:
      galw contacts import docs/tour/contacts.csv
      galw contacts list --name Rhys
    """


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--map", "mapped", multiple=True, metavar="COLUMN=FIELD", help=f"What a column says: {_TARGETS}.")
@click.option("--region", help="Country (ISO 3166, such as GB) of numbers without a country code.")
@click.option(
    "--dates",
    default="YYYY-MM-DD",
    show_default=True,
    type=click.Choice(["YYYY-MM-DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY"]),
    help="How the file writes dates.",
)
@click.option("--errors", type=click.Path(dir_okay=False, path_type=Path), help="Where rows not taken are written.")
@click.option("--no-wait", is_flag=True, help="Return when the file has arrived, before it is read.")
@click.option("--json", "as_json", is_flag=True, help="Print the finished import as JSON.")
@with_client
async def import_file(
    client: GalwClient,
    *,
    file: Path,
    mapped: tuple[str, ...],
    region: str | None,
    dates: str,
    errors: Path | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Import the contacts in FILE, a CSV file whose first line names its columns.

    Columns are known by their names (phone, name, country ...) or by --map. The same file twice makes nobody twice.
    Rows that cannot be used are written to FILE-errors.csv (or --errors) and the exit code is 7; the rest is imported.

    \b
    Examples:
      galw contacts import customers.csv
      galw contacts import leads.csv --region GB --map "Tel. 1=phone" --map Tariff=attributes.product
    """
    params = {
        "filename": file.name[-200:],
        "mapping": orjson.dumps(_mapping(mapped)).decode() if mapped else None,
        "default_region": region,
        "date_format": dates,
    }
    with _progress(quiet=as_json) as progress:
        started = await _upload(client, file, params, progress)
        done = started if no_wait else await _watch(client, started, progress)
    where = None
    if done["rejected"]:
        where = errors or file.with_name(f"{file.stem}-errors.csv")
        await _fetch_errors(client, done["id"], where)
    say(orjson.dumps(done) if as_json else _summary(done, where))
    if done["state"] == "failed":
        raise CommandError(f"The import failed: {done['failure']}", Exit.FAILED)
    if where is not None:
        raise SystemExit(int(Exit.REFUSED))


@command.command("import-status")
@click.argument("import_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def import_status(client: GalwClient, *, import_id: Any, as_json: bool) -> None:
    """See how far an import is that was started with --no-wait.

    \b
    Example:
      galw contacts import-status IMPORT_ID
    """
    found = await client.get(f"/api/crm/imports/{import_id}")
    percent = 100 * found["read_bytes"] // (found["size_bytes"] or 1)
    say(orjson.dumps(found) if as_json else f"{found['state']}, {percent} % read: {_summary(found, None)}")


@command.command("list")
@click.option("--number", help="Who has this number; with its country code, or national with --region.")
@click.option("--region", help="Country of a national --number.")
@click.option("--external-id", help="Who has this id elsewhere.")
@click.option("--name", help="Whose name begins so, capitals or not.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@with_client
async def list_contacts(client: GalwClient, *, limit: int, as_json: bool, **asked: str | None) -> None:
    """List contacts, all or those that fit every option.

    \b
    Examples:
      galw contacts list --name Rhys
      galw contacts list --number 01632960123 --region GB --json
    """
    shown = 0
    async for one in client.pages("/api/crm/contacts", {**asked, "limit": min(limit, 200)}):
        say(orjson.dumps(one) if as_json else _line(one))
        shown += 1
        if shown == limit:
            break
    if not shown and not as_json:
        say("No contact fits.")


@command.command("show")
@click.argument("contact_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def show(client: GalwClient, *, contact_id: Any, as_json: bool) -> None:
    """Show one contact: who it is, what is allowed, and what happened lately.

    \b
    Example:
      galw contacts show CONTACT_ID
    """
    contact = await client.get(f"/api/crm/contacts/{contact_id}")
    ledger = await client.get(f"/api/crm/contacts/{contact_id}/consents")
    timeline = (await client.get(f"/api/crm/contacts/{contact_id}/timeline", {"limit": 20}))["items"]
    if as_json:
        say(orjson.dumps({**contact, "consents": ledger, "timeline": timeline}))
        return
    for name, value in contact.items():
        if value not in (None, "", {}, []) and name != "numbers":
            say(f"{name:20} {value}")
    for one in contact["numbers"]:
        say(f"{'number':20} {one['number']} ({one['kind']})")
    for one in ledger["suppressions"]:
        say(f"{'said no':20} {_no(one)}")
    for one in ledger["number_suppressions"]:
        say(f"{'forbidden':20} {one['number']}, whoever holds it: {_no(one['suppression'])}")
    for one in timeline:
        say(f"{moment(one['at']):20} {one['kind']} {_what(one['body'])}".rstrip())


@command.command()
@click.argument("who")
@click.option("--source", required=True, help="Where it was said, such as 'letter of 2026-11-30'.")
@click.option(
    "--channel",
    default="all",
    show_default=True,
    type=click.Choice(["all", "voice", "sms", "email"]),
    help="What is forbidden.",
)
@click.option("--purpose", help="Forbid this purpose only, such as marketing.")
@click.option("--region", help="Country of a national number.")
@click.option("--json", "as_json", is_flag=True, help="Print the line of the ledger as JSON.")
@with_client
async def forbid(
    client: GalwClient, *, who: str, source: str, channel: str, purpose: str | None, region: str | None, as_json: bool
) -> None:
    """Write down that WHO, a contact's id or a number, is not to be reached any more; it is in force at once.

    A number is forbidden whoever holds it, now or later.

    \b
    Examples:
      galw contacts forbid CONTACT_ID --source "letter of 2026-11-30"
      galw contacts forbid +441632960123 --source "asked us by telephone" --channel voice --purpose marketing
    """
    said = {"change": "withdrawn", "source": source, "channel": channel, "purpose": purpose}
    try:
        path, of = f"/api/crm/contacts/{UUID(who)}/consents", {}
    except ValueError:
        path, of = "/api/crm/suppressions", {"number": who, "default_region": region}
    line = await client.post(path, said | of)
    say(orjson.dumps(line) if as_json else f"{who} said no {_no(line)}.")


def _no(suppression: dict[str, Any]) -> str:
    what = "calls and messages" if suppression["channel"] == "all" else suppression["channel"]
    purpose = suppression["purpose"] or "every purpose"
    return f"to {what} for {purpose}, since {moment(suppression['at'])}, by {suppression['source']}"


def _what(body: dict[str, Any]) -> str:
    """Return the word in which an event of the timeline differs from others of its kind."""
    said = [body.get(name) for name in ("disposition", "outcome", "result", "template", "reason", "source")]
    return ", ".join(str(one).replace("_", " ") for one in said if one)


def _mapping(mapped: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.rpartition("=") for one in mapped]
    if wrong := [one for one, (name, _, _) in zip(mapped, pairs, strict=True) if not name]:
        raise CommandError(
            f"--map {wrong[0]!r} has no column; expected COLUMN=FIELD, such as 'Tel. 1=phone'", Exit.USAGE
        )
    return {name: target for name, _, target in pairs}


def _progress(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return progress_of(*columns, quiet=quiet)


async def _upload(client: GalwClient, file: Path, params: dict[str, Any], progress: Progress) -> Any:
    size = (await asyncio.to_thread(file.stat)).st_size
    task = progress.add_task("Sending", total=size)

    async def chunks(source: BinaryIO) -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(source.read, _BLOCK):
            yield block
            progress.advance(task, len(block))

    with await asyncio.to_thread(file.open, "rb") as source:
        return await client.upload("/api/crm/imports", chunks(source), "text/csv", params)


async def _watch(client: GalwClient, started: Any, progress: Progress) -> Any:
    task = progress.add_task("Reading", total=started["size_bytes"])
    present = started
    while present["state"] not in ("done", "failed"):
        await asyncio.sleep(_POLL_S)
        present = await client.get(f"/api/crm/imports/{started['id']}")
        progress.update(task, completed=present["read_bytes"])
    return present


async def _fetch_errors(client: GalwClient, import_id: str, where: Path) -> None:
    with await asyncio.to_thread(where.open, "wb") as out:
        async for chunk in client.download(f"/api/crm/imports/{import_id}/errors"):
            await asyncio.to_thread(out.write, chunk)


def _summary(done: Any, where: Path | None) -> str:
    counts = f"{done['created']} new, {done['updated']} updated, {done['unchanged']} unchanged"
    rejected = f", {done['rejected']} rows not taken" if done["rejected"] else ""
    if done["state"] in ("waiting", "running") and not where:
        return f"{counts}{rejected}. See how far it is: galw contacts import-status {done['id']}"
    return f"{counts}{rejected}{f': see {where}' if where else '.'}"


def _line(one: Any) -> str:
    numbers = ", ".join(number["number"] for number in one["numbers"])
    return f"{one['id']}  {one['name'] or '-':30}  {one['country'] or '--'}  {numbers}"
