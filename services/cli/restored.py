"""`galw restored`: what a restored database does not know, and the decision about the people it would call again."""

import click
import orjson

from services.cli.client import GalwClient, with_client
from services.cli.finding import find_id
from services.cli.output import say

_RESTORED = "/api/dialer/restored"


@click.group()
def restored() -> None:
    """After a restore: people who were called since the database was saved are held back until somebody decides.

    \b
    Example:
      galw restored show
    """


@restored.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def show(client: GalwClient, *, as_json: bool) -> None:
    """Show the calls that this database does not know, and how many leads are held back in which campaign.

    \b
    Example:
      galw restored show
    """
    found = await client.get(_RESTORED)
    if as_json:
        say(orjson.dumps(found))
        return
    if not found["calls"] and not found["campaigns"]:
        say("Nobody is held back: the database knows every call that the carrier made.")
        return
    say(f"{found['calls']} calls are not in this database, from {found['first_at']} to {found['last_at']}.")
    for one in found["campaigns"]:
        say(f"  {one['name']}: {one['leads']} leads are held back")
    say("They stay so until somebody decides: `galw restored release`, with --campaign NAME for one campaign.")


@restored.command("release")
@click.option("--campaign", help="Only the leads of this campaign (id or name).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def release(client: GalwClient, *, campaign: str | None, as_json: bool) -> None:
    """Let the leads that are held back be called again.

    \b
    Example:
      galw restored release --campaign "Line quality"
    """
    campaign_id = await find_id(client, "/api/dialer/campaigns", campaign, "campaign") if campaign is not None else None
    done = await client.post(f"{_RESTORED}/release", {"campaign_id": campaign_id})
    say(orjson.dumps(done) if as_json else f"{done['leads']} leads go on.")
