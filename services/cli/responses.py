"""`galw responses`: what people answered."""

import sys
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import click
import orjson
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from services.cli.client import GalwClient, with_client
from services.cli.finding import find_id, parse_instant
from services.cli.output import progress_of, say


@click.group()
def command() -> None:
    """Take out what people answered.

    \b
    Example:
      galw responses export --campaign "Line quality" -o answers.csv
    """


@command.command("export")
@click.option("--campaign", help="Only of this campaign (id or name).")
@click.option("--contact", "contact_id", type=click.UUID, help="Only of this person.")
@click.option("--since", help="From then on: a day, an instant such as 2027-03-31T09:00+02:00, or an age such as 2h.")
@click.option("--until", help="Before this day or instant.")
@click.option("--output", "-o", type=click.File("wb"), default="-", help="The file to write; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line instead of CSV.")
@with_client
async def export(
    client: GalwClient,
    *,
    campaign: str | None,
    contact_id: object,
    since: str | None,
    until: str | None,
    output: BinaryIO,
    as_json: bool,
) -> None:
    """Export responses as CSV, the oldest first, each as last revised; days begin at midnight UTC.

    \b
    Examples:
      galw responses export --campaign "Spring survey" -o answers.csv
      galw responses export --since 1d --json
    """
    params = {
        "campaign_id": await find_id(client, "/api/dialer/campaigns", campaign, "campaign") if campaign else None,
        "contact_id": contact_id,
        "since": parse_instant("--since", since),
        "until": parse_instant("--until", until),
    }
    to_file = output is not sys.stdout.buffer
    # Nobody knows beforehand how many there are, so the bar only moves, beside the count of lines.
    columns = (TextColumn("Exporting"), BarColumn(), TextColumn("{task.completed:,} lines"), TimeElapsedColumn())
    with progress_of(*columns, quiet=not to_file) as bar:
        lines = bar.add_task("", total=None)
        async for chunk in _written(client, params, as_json=as_json):
            output.write(chunk)
            bar.advance(lines, chunk.count(b"\n"))
    output.flush()
    if to_file:
        say(f"Wrote {getattr(output, 'name', 'the file')}.", err=True)


async def _written(client: GalwClient, params: dict[str, Any], *, as_json: bool) -> AsyncIterator[bytes]:
    if as_json:
        async for one in client.pages("/api/crm/responses", {**params, "limit": 200}):
            yield orjson.dumps(one) + b"\n"
    else:
        async for chunk in client.download("/api/crm/responses/export", params):
            yield chunk
