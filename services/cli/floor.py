"""`galw pools` and `galw trunks`: who works together, and the lines that calls go out on."""

from typing import Any

import click
import orjson

from services.cli.client import GalwClient, with_client
from services.cli.finding import find_id
from services.cli.output import Screen, say, table_of

_POOLS = "/api/dialer/pools"
_TRUNKS = "/api/dialer/trunks"


@click.group()
def pools() -> None:
    """Pools: operators and the campaigns that share them. Campaigns without a pool join the one named main.

    \b
    Example:
      galw pools create main
    """


@pools.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one pool a line.")
@with_client
async def list_pools(client: GalwClient, *, as_json: bool) -> None:
    """List pools with their limits.

    \b
    Example:
      galw pools list
    """
    table = table_of("id", "name", "wrap-up limit", "grace for a lost operator")
    async for one in client.pages(_POOLS):
        if as_json:
            say(orjson.dumps(one))
        else:
            table.add_row(one["id"], one["name"], f"{one['wrap_up_limit_s']} s", f"{one['lost_grace_s']} s")
    if not as_json:
        Screen().print(table)


@pools.command("create")
@click.argument("name")
@click.option("--wrap-up-limit-s", default=60, show_default=True, type=click.IntRange(0, 3600), help="0: no limit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def create_pool(client: GalwClient, name: str, *, wrap_up_limit_s: int, as_json: bool) -> None:
    """Make a pool.

    \b
    Example:
      galw pools create main --wrap-up-limit-s 45
    """
    made = await client.post(_POOLS, {"name": name, "wrap_up_limit_s": wrap_up_limit_s})
    say(orjson.dumps(made) if as_json else f"Made the pool {made['name']!r}: {made['id']}.")


@pools.command("decisions")
@click.argument("pool")
@click.option("--minutes", default=5, show_default=True, type=click.IntRange(1, 60), help="How far back.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one decision a line.")
@with_client
async def decisions(client: GalwClient, pool: str, *, minutes: int, as_json: bool) -> None:
    """Show what pacing decided for POOL (id or name), and why, newest first.

    \b
    Example:
      galw pools decisions main
    """
    path = f"{_POOLS}/{await find_id(client, _POOLS, pool, 'pool')}/decisions"
    for one in (await client.get(path, {"minutes": minutes, "limit": 1000}))["items"]:
        say(orjson.dumps(one) if as_json else f"{one['at'][11:19]}  {'; '.join(one['explain'].values())}")


@click.group()
def trunks() -> None:
    """Trunks: lines to the carrier with their limits. Campaigns use the one named main unless their plan names one.

    \b
    Example:
      galw trunks set main --calls-per-second 2 --channels 20 --country GB --country IE
    """


@trunks.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one trunk a line.")
@with_client
async def list_trunks(client: GalwClient, *, as_json: bool) -> None:
    """List trunks with their limits, their live calls, and what they spent today.

    \b
    Example:
      galw trunks list
    """
    table = table_of("name", "calls per second", "live / channels", "countries", "spent today", "cap")
    async for one in client.pages(_TRUNKS):
        if as_json:
            say(orjson.dumps(one))
        else:
            channels = f"{one['live']} / {one['channels']}"
            money = (_money(one["spent_micros"]), _money(one["spend_cap_micros"]))
            table.add_row(one["id"], str(one["calls_per_second"]), channels, ", ".join(one["countries"]), *money)
    if not as_json:
        Screen().print(table)


@trunks.command("set")
@click.argument("name")
@click.option("--calls-per-second", required=True, type=float, help="At most so many new calls a second.")
@click.option("--channels", required=True, type=click.IntRange(1, 100_000), help="At most so many calls at once.")
@click.option("--country", "countries", multiple=True, required=True, help="A country it may call; may be repeated.")
@click.option("--cost-per-attempt", default=0.0, show_default=True, help="What an attempt costs, for the cap.")
@click.option("--spend-cap", type=float, help="At most so much a day.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def set_trunk(
    client: GalwClient,
    name: str,
    *,
    calls_per_second: float,
    channels: int,
    countries: tuple[str, ...],
    cost_per_attempt: float,
    spend_cap: float | None,
    as_json: bool,
) -> None:
    """Set the limits of the trunk NAME, which is made when it is new.

    \b
    Example:
      galw trunks set main --calls-per-second 2 --channels 20 --country GB --cost-per-attempt 0.02 --spend-cap 50
    """
    limits = {
        "calls_per_second": str(calls_per_second),
        "channels": channels,
        "countries": list(countries),
        "cost_per_attempt_micros": round(cost_per_attempt * 1_000_000),
        "spend_cap_micros": None if spend_cap is None else round(spend_cap * 1_000_000),
    }
    kept = (await client.request("PUT", f"{_TRUNKS}/{name}", body=limits)).body
    sentence = f"The trunk {name!r} may have {channels} calls at once, to {', '.join(countries)}."
    say(orjson.dumps(kept) if as_json else sentence)


def _money(micros: Any) -> str:
    return "–" if micros is None else f"{micros / 1_000_000:,.2f}"
