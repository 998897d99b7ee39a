"""`galw operators`: who is at work, and what they do."""

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.finding import find_id, names_of
from services.cli.output import Screen, moment, say, table_of


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
    table = table_of("id", "name", "state", "since", "skills")
    async for one in client.pages("/api/dialer/operators"):
        if as_json:
            say(orjson.dumps(one))
        else:
            state = one["state"].replace("_", " ") + (f" ({one['reason']})" if one["reason"] else "")
            table.add_row(one["id"], one["name"], state, moment(one["since"]), ", ".join(one["skills"]) or "–")
    if not as_json:
        Screen().print(table)


@command.command("assign")
@click.argument("operator")
@click.option("--pool", required=True, help="The pool they work in (id or name).")
@click.option("--skill", "skills", multiple=True, help="A skill they have; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def assign(client: GalwClient, operator: str, *, pool: str, skills: tuple[str, ...], as_json: bool) -> None:
    """Put OPERATOR (id or name), who must be offline to change pools, into a pool.

    \b
    Example:
      galw operators assign "Gwen Idris" --pool main --skill cy
    """
    pool_id = await find_id(client, "/api/dialer/pools", pool, "pool")
    operator_id = await find_id(client, "/api/dialer/operators", operator, "operator")
    path = f"/api/dialer/operators/{operator_id}/assignment"
    moved = (await client.request("PUT", path, body={"pool_id": pool_id, "skills": list(skills)})).body
    say(orjson.dumps(moved) if as_json else f"{moved['name']} works in pool {moved['pool_id']} now.")


@command.command("stops")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one change a line.")
@with_client
async def stops(client: GalwClient, *, as_json: bool) -> None:
    """Show who stopped or lifted what, when and why, newest first.

    \b
    Example:
      galw operators stops
    """
    table = table_of("when", "", "what", "by", "why")
    changes = [one async for one in client.pages("/api/dialer/stops/changes")]
    names = {} if as_json else await names_of(client, (one["by"] for one in changes))
    for one in changes:
        if as_json:
            say(orjson.dumps(one))
        else:
            what = f"{one['scope']} {one['target']}".strip()
            table.add_row(moment(one["at"]), one["change"], what, names[one["by"]], one["reason"])
    if not as_json:
        Screen().print(table)


@command.command("stop-dialing")
@click.option("--campaign", help="Stop this campaign (id or name) only.")
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
      galw operators stop-dialing --campaign "Line quality" --reason "wrong script"
      galw operators stop-dialing --lift
    """
    if campaign and trunk:
        raise CommandError("Name either --campaign or --trunk; neither stops everything.", Exit.USAGE)
    if campaign:
        campaign = await find_id(client, "/api/dialer/campaigns", campaign, "campaign")
    scope, target = ("campaign", campaign) if campaign else ("trunk", trunk) if trunk else ("all", "")
    path = "/api/dialer/stops/lift" if lift else "/api/dialer/stops"
    stops = await client.post(path, {"scope": scope, "target": target, "reason": reason})
    in_force = ", ".join(f"{one['scope']} {one['target']}".strip() for one in stops["items"]) or "none"
    say(orjson.dumps(stops["items"]) if as_json else f"Stops in force: {in_force}.")
