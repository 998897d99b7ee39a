"""`galw operators`: who is at work, and what they do."""

import click
import orjson
from rich.console import Console
from rich.table import Table

from services.cli.client import GalwClient, with_client


@click.group()
def command() -> None:
    """See operators, put them into pools, and stop all dialing.

    \b
    Examples:
      galw operators list
      galw operators stop-dialing --reason "wrong script"
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one operator a line.")
@with_client
async def list_operators(client: GalwClient, *, as_json: bool) -> None:
    """List operators with their state.

    \b
    Example:
      galw operators list --json
    """
    table = Table("id", "name", "state", "since", "skills")
    async for one in client.pages("/api/dialer/operators"):
        if as_json:
            click.echo(orjson.dumps(one))
        else:
            state = one["state"].replace("_", " ") + (f" ({one['reason']})" if one["reason"] else "")
            table.add_row(one["id"], one["name"], state, one["since"], ", ".join(one["skills"]) or "–")
    if not as_json:
        Console().print(table)


@command.command("assign")
@click.argument("operator_id")
@click.option("--pool", "pool_id", required=True, help="The pool they work in.")
@click.option("--skill", "skills", multiple=True, help="A skill they have; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def assign(client: GalwClient, operator_id: str, *, pool_id: str, skills: tuple[str, ...], as_json: bool) -> None:
    """Put an operator, who must be offline to change pools, into a pool.

    \b
    Example:
      galw operators assign OPERATOR_ID --pool POOL_ID --skill cy
    """
    path = f"/api/dialer/operators/{operator_id}/assignment"
    moved = (await client.request("PUT", path, body={"pool_id": pool_id, "skills": list(skills)})).body
    click.echo(orjson.dumps(moved) if as_json else f"{moved['name']} works in pool {moved['pool_id']} now.")


@command.command("stops")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one change a line.")
@with_client
async def stops(client: GalwClient, *, as_json: bool) -> None:
    """Show who stopped or lifted what, when and why, newest first.

    \b
    Example:
      galw operators stops
    """
    table = Table("when", "", "what", "by", "why")
    async for one in client.pages("/api/dialer/stops/changes"):
        if as_json:
            click.echo(orjson.dumps(one))
        else:
            what = f"{one['scope']} {one['target']}".strip()
            table.add_row(one["at"][:19].replace("T", " "), one["change"], what, one["by"], one["reason"])
    if not as_json:
        Console().print(table)


@command.command("stop-dialing")
@click.option("--campaign", help="Stop this campaign only.")
@click.option("--trunk", help="Stop this trunk only.")
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--lift", is_flag=True, help="Lift the stop instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def stop_dialing(
    client: GalwClient, *, campaign: str | None, trunk: str | None, reason: str, lift: bool, as_json: bool
) -> None:
    """Emergency stop: no phone rings any more from within a second, conversations go on.

    \b
    Examples:
      galw operators stop-dialing --reason "wrong script"
      galw operators stop-dialing --lift
    """
    scope, target = ("campaign", campaign) if campaign else ("trunk", trunk) if trunk else ("all", "")
    path = "/api/dialer/stops/lift" if lift else "/api/dialer/stops"
    stops = await client.post(path, {"scope": scope, "target": target, "reason": reason})
    in_force = ", ".join(f"{one['scope']} {one['target']}".strip() for one in stops["items"]) or "none"
    click.echo(orjson.dumps(stops["items"]) if as_json else f"Stops in force: {in_force}.")
