"""`galw responses`: what people answered."""

import sys
from datetime import UTC, datetime
from typing import BinaryIO

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client


@click.group()
def command() -> None:
    """Take out what people answered."""


@command.command("export")
@click.option("--campaign", "campaign_id", type=click.UUID, help="Only of this campaign.")
@click.option("--contact", "contact_id", type=click.UUID, help="Only of this person.")
@click.option("--since", help="From this day or instant on, such as 2027-03-31 or 2027-03-31T09:00+02:00.")
@click.option("--until", help="Before this day or instant.")
@click.option("--output", "-o", type=click.File("wb"), default="-", help="The file to write; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line instead of CSV.")
@with_client
async def export(
    client: GalwClient,
    *,
    campaign_id: object,
    contact_id: object,
    since: str | None,
    until: str | None,
    output: BinaryIO,
    as_json: bool,
) -> None:
    """Export responses as CSV, the oldest first, each as last revised; days begin at midnight UTC."""
    params = {
        "campaign_id": campaign_id,
        "contact_id": contact_id,
        "since": _instant("--since", since),
        "until": _instant("--until", until),
    }
    if as_json:
        async for one in client.pages("/api/crm/responses", {**params, "limit": 200}):
            output.write(orjson.dumps(one) + b"\n")
    else:
        async for chunk in client.download("/api/crm/responses/export", params):
            output.write(chunk)
    output.flush()
    if output is not sys.stdout.buffer:
        click.echo(f"Wrote {getattr(output, 'name', 'the file')}.", err=True)


def _instant(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"{option} {text!r} is no day or instant; expected one such as 2027-03-31"
        raise CommandError(message, Exit.USAGE) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()
