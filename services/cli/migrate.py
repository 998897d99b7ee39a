"""`galw migrate`: bring the database to the state this version needs."""

import asyncio
import os

import click
import orjson

from services.cli.client import CommandError, Exit
from services.runtime.errors import GalwError
from services.runtime.postgres import migrate

_SCHEMAS = {
    "dialer": ("services.runtime", "services.dialer"),
    "crm": ("services.runtime", "services.crm"),
    "notifier": ("services.runtime", "services.notifier"),
    "identity": ("services.runtime.identity",),
}


@click.command()
@click.option(
    "--phase",
    type=click.Choice(["all", "pre", "post"]),
    default="all",
    help="Before the new code is deployed (pre), after it (post), or both.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(phase: str, as_json: bool) -> None:
    """Apply the migrations that the database at GALW_DATABASE_URL lacks.

    \b
    Examples:
      galw migrate                 # before the first start, or with all services stopped
      galw migrate --phase pre     # before new code is deployed beside the old; --phase post after it
    """
    url = os.environ.get("GALW_DATABASE_URL")
    if not url:
        raise CommandError("Set GALW_DATABASE_URL to the address of the database.", Exit.USAGE)
    try:
        applied = asyncio.run(_migrate(url, phase))
    except GalwError as error:
        raise CommandError(error.message, Exit.REFUSED) from error
    if as_json:
        click.echo(orjson.dumps(applied))
    else:
        for schema, names in applied.items():
            click.echo(f"{schema}: {', '.join(names) or 'nothing to do'}")


async def _migrate(url: str, phase: str) -> dict[str, list[str]]:
    which = "pre" if phase == "pre" else "post" if phase == "post" else "all"
    return {schema: await migrate(url, schema, packages, phase=which) for schema, packages in _SCHEMAS.items()}
