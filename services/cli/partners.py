"""`galw partners`: who is told what, where to, and whether it arrived."""

from typing import Any

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.finding import IdOf, find_id, parse_instant
from services.cli.output import Screen, moment, say, table_of

_PARTNERS = "/api/notifier/partners"
_ENDPOINTS = "/api/notifier/endpoints"
_ENDPOINT = IdOf("an endpoint", "galw partners endpoints list PARTNER")
_EVENT = IdOf("an event", "galw partners deliveries list ENDPOINT")
_STATES = ("pending", "delivered", "exhausted", "held")


@click.group()
def command() -> None:
    """Partners: their endpoints, what they subscribe to, and every webhook that was sent.

    \b
    A partner from nothing to the first webhook:
      galw partners create "Fielding Repairs"
      galw partners event-types
      galw partners endpoints add "Fielding Repairs" https://fielding.example/galw --event dialer.response.recorded
      galw partners endpoints test ENDPOINT
      galw partners deliveries list ENDPOINT
    """


@command.group()
def endpoints() -> None:
    """Where a partner's webhooks go, what they are about, and the secrets that sign them."""


@command.group()
def deliveries() -> None:
    """Each webhook: what was sent, what came back, and sending it again."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one partner a line.")
@with_client
async def list_partners(client: GalwClient, *, as_json: bool) -> None:
    """List partners.

    \b
    Example:
      galw partners list
    """
    table = table_of("id", "name", "told of")
    async for one in client.pages(_PARTNERS, {"limit": 200}):
        if as_json:
            say(orjson.dumps(one))
        else:
            campaigns = one["campaign_ids"]
            table.add_row(one["id"], one["name"], "everything" if campaigns is None else f"{len(campaigns)} campaigns")
    if not as_json:
        Screen().print(table)


@command.command("create")
@click.argument("name")
@click.option("--campaign", "campaigns", multiple=True, help="Tell of this campaign (id or name) only; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def create(client: GalwClient, name: str, *, campaigns: tuple[str, ...], as_json: bool) -> None:
    """Make a partner; without --campaign it may hear of all of them.

    \b
    Examples:
      galw partners create "Fielding Repairs"
      galw partners create "Fielding Repairs" --campaign "Spring survey"
    """
    chosen = [await find_id(client, "/api/dialer/campaigns", one, "campaign") for one in campaigns]
    made = await client.post(_PARTNERS, {"name": name, "campaign_ids": chosen or None})
    next_step = f"Add an endpoint: galw partners endpoints add {made['id']} URL --event TYPE"
    say(orjson.dumps(made) if as_json else f"Made the partner {made['name']!r}: {made['id']}. {next_step}")


@command.command("event-types")
@click.option("--schema", "wanted", help="Show the JSON Schema of one type's data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one type a line.")
@with_client
async def event_types(client: GalwClient, *, wanted: str | None, as_json: bool) -> None:
    """List the events that a partner can subscribe to.

    \b
    Examples:
      galw partners event-types
      galw partners event-types --schema dialer.response.recorded
    """
    found = [one async for one in client.pages("/api/notifier/event-types")]
    if wanted is not None:
        chosen = next((one for one in found if one["type"] == wanted), None)
        if chosen is None:
            raise CommandError(f"There is no event type {wanted!r}. See: galw partners event-types", Exit.NOT_FOUND)
        say(orjson.dumps(chosen["data_schema"], option=orjson.OPT_INDENT_2))
        return
    if as_json:
        for one in found:
            say(orjson.dumps(one))
        return
    table = table_of("type", "says that")
    for one in found:
        table.add_row(one["type"], one["summary"])
    Screen().print(table)


@endpoints.command("list")
@click.argument("partner")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one endpoint a line.")
@with_client
async def list_endpoints(client: GalwClient, partner: str, *, as_json: bool) -> None:
    """List the endpoints of PARTNER (id or name), with their deliveries of the last 24 hours.

    \b
    Example:
      galw partners endpoints list "Fielding Repairs"
    """
    path = f"{_PARTNERS}/{await find_id(client, _PARTNERS, partner, 'partner')}/endpoints"
    table = table_of("id", "url", "state", "subscribed to", "last 24 h")
    async for one in client.pages(path):
        if as_json:
            say(orjson.dumps(one))
        else:
            counts = ", ".join(f"{state} {count}" for state, count in sorted(one["deliveries"].items()))
            table.add_row(one["id"], one["url"], _state(one), ", ".join(one["subscriptions"]), counts or "–")
    if not as_json:
        Screen().print(table)


@endpoints.command("add")
@click.argument("partner")
@click.argument("url")
@click.option("--event", "events", multiple=True, required=True, help="A type, a prefix such as dialer.*, or *.")
@click.option("--description", default="", help="What it is for.")
@click.option("--public-key", is_flag=True, help="Sign with a key pair (v1a) instead of a shared secret (v1).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, the secret with it.")
@with_client
async def add(
    client: GalwClient,
    partner: str,
    url: str,
    *,
    events: tuple[str, ...],
    description: str,
    public_key: bool,
    as_json: bool,
) -> None:
    """Send webhooks to URL for PARTNER (id or name); prints the secret that the receiver verifies with.

    \b
    Examples:
      galw partners endpoints add "Fielding Repairs" https://fielding.example/galw --event dialer.response.recorded
      galw partners endpoints add "Fielding Repairs" https://fielding.example/all --event '*' --public-key
    """
    path = f"{_PARTNERS}/{await find_id(client, _PARTNERS, partner, 'partner')}/endpoints"
    wish = {"url": url, "description": description, "subscriptions": list(events)}
    made = await client.post(path, {**wish, "scheme": "v1a" if public_key else "v1"})
    secrets = (await client.get(f"{_ENDPOINTS}/{made['id']}/secrets"))["items"]
    if as_json:
        say(orjson.dumps({**made, "secrets": secrets}))
        return
    say(f"Webhooks go to {made['url']}: endpoint {made['id']}.")
    say(f"Verify them with this secret, and keep it where secrets are kept:\n  {secrets[0]['value']}")


@endpoints.command("edit")
@click.argument("endpoint", type=_ENDPOINT)
@click.option("--url", help="Send there from now on.")
@click.option("--event", "events", multiple=True, help="Subscribe to these instead.")
@click.option("--description", help="What it is for.")
@click.option("--enable/--disable", "enabled", default=None, help="Send again, or hold what would be sent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def edit(
    client: GalwClient,
    endpoint: str,
    *,
    url: str | None,
    events: tuple[str, ...],
    description: str | None,
    enabled: bool | None,
    as_json: bool,
) -> None:
    """Change ENDPOINT; what is not named stays.

    \b
    Examples:
      galw partners endpoints edit ENDPOINT --disable
      galw partners endpoints edit ENDPOINT --event dialer.response.recorded --event dialer.call.ended
    """
    present = await client.get(f"{_ENDPOINTS}/{endpoint}")
    wish = {
        "url": url or present["url"],
        "description": present["description"] if description is None else description,
        "subscriptions": list(events) or present["subscriptions"],
        "enabled": present["enabled"] if enabled is None else enabled,
    }
    version = {"If-Match": f'"{present["version"]}"'}
    edited = (await client.request("PUT", f"{_ENDPOINTS}/{endpoint}", body=wish, headers=version)).body
    sentence = f"{edited['url']} is {_state(edited)} and hears {', '.join(edited['subscriptions'])}."
    say(orjson.dumps(edited) if as_json else sentence)


@endpoints.command("remove")
@click.argument("endpoint", type=_ENDPOINT)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; does not ask.")
@with_client
async def remove(client: GalwClient, endpoint: str, *, yes: bool, as_json: bool) -> None:
    """Remove ENDPOINT for good; what it has not been told yet is dropped.

    \b
    Example:
      galw partners endpoints remove ENDPOINT
    """
    present = await client.get(f"{_ENDPOINTS}/{endpoint}")
    if not (yes or as_json):
        click.confirm(f"Remove {present['url']} and everything that waits for it?", abort=True)
    await client.request("DELETE", f"{_ENDPOINTS}/{endpoint}")
    say(orjson.dumps({"removed": endpoint}) if as_json else f"Removed {present['url']}.")


@endpoints.command("secrets")
@click.argument("endpoint", type=_ENDPOINT)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one secret a line.")
@with_client
async def secrets(client: GalwClient, endpoint: str, *, as_json: bool) -> None:
    """Show the secrets that sign for ENDPOINT now; it is logged who looked.

    \b
    Example:
      galw partners endpoints secrets ENDPOINT
    """
    await _show_secrets(client, endpoint, as_json)


@endpoints.command("rotate")
@click.argument("endpoint", type=_ENDPOINT)
@click.option(
    "--grace-hours", default=24.0, show_default=True, type=click.FloatRange(0), help="The old one signs along."
)
@click.option("--public-key", is_flag=True, help="The new one is a key pair (v1a).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one secret a line.")
@with_client
async def rotate(client: GalwClient, endpoint: str, *, grace_hours: float, public_key: bool, as_json: bool) -> None:
    """Give ENDPOINT a new secret and print it; for some hours the old one signs along, so that nothing is refused.

    \b
    Examples:
      galw partners endpoints rotate ENDPOINT
      galw partners endpoints rotate ENDPOINT --grace-hours 0     # the old one has leaked
    """
    wish = {"scheme": "v1a" if public_key else "v1", "grace_hours": grace_hours}
    await client.post(f"{_ENDPOINTS}/{endpoint}/secrets", wish)
    await _show_secrets(client, endpoint, as_json)


@endpoints.command("test")
@click.argument("endpoint", type=_ENDPOINT)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def test(client: GalwClient, endpoint: str, *, as_json: bool) -> None:
    """Send a test event to ENDPOINT.

    \b
    Example:
      galw partners endpoints test ENDPOINT
    """
    planned = await client.post(f"{_ENDPOINTS}/{endpoint}/test")
    see = f"galw partners deliveries show {endpoint} {planned['event_id']}"
    say(orjson.dumps(planned) if as_json else f"Sent on its way. See what came back: {see}")


@deliveries.command("list")
@click.argument("endpoint", type=_ENDPOINT)
@click.option("--state", type=click.Choice(_STATES), help="Only these.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one delivery a line.")
@with_client
async def list_deliveries(client: GalwClient, endpoint: str, *, state: str | None, limit: int, as_json: bool) -> None:
    """List what was or will be sent to ENDPOINT, newest first.

    \b
    Examples:
      galw partners deliveries list ENDPOINT
      galw partners deliveries list ENDPOINT --state exhausted
    """
    table = table_of("event", "type", "state", "attempts", "last answer", "next attempt")
    async for one in client.some(f"{_ENDPOINTS}/{endpoint}/deliveries", limit, {"state": state}):
        if as_json:
            say(orjson.dumps(one))
        else:
            answer = str(one["last_status"] or one["last_failure"] or "–")
            row = (one["event_id"], one["event_type"], one["state"], str(one["attempts"]), answer)
            table.add_row(*row, moment(one["next_attempt_at"]))
    if not as_json:
        Screen().print(table)


@deliveries.command("show")
@click.argument("endpoint", type=_ENDPOINT)
@click.argument("event", type=_EVENT)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def show_delivery(client: GalwClient, endpoint: str, event: str, *, as_json: bool) -> None:
    """Show what was sent to ENDPOINT for EVENT, and every answer.

    \b
    Example:
      galw partners deliveries show ENDPOINT EVENT
    """
    found = await client.get(f"{_ENDPOINTS}/{endpoint}/deliveries/{event}")
    if as_json:
        say(orjson.dumps(found))
        return
    # A replay begins to count anew; the log goes back to the first.
    times = f"{len(found['log'])} {'attempt' if len(found['log']) == 1 else 'attempts'}"
    say(f"{found['event_type']}, {found['state']} after {times}. Sent:")
    say(orjson.dumps(found["payload"], option=orjson.OPT_INDENT_2))
    for one in found["log"]:
        answer = one["status"] or f"{one['failure']} {one['detail']}".strip()
        told = f"{one['duration_ms']} ms  {answer}  {one['response_body'][:200]}"
        say(f"{moment(one['started_at'])}  {one['url']}  {told}")


@deliveries.command("replay")
@click.argument("endpoint", type=_ENDPOINT)
@click.argument("event", type=_EVENT, required=False)
@click.option(
    "--since", help="Everything that failed or was held from then on: a day, an instant, or an age such as 6h."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def replay(client: GalwClient, endpoint: str, event: str | None, *, since: str | None, as_json: bool) -> None:
    """Send EVENT to ENDPOINT again, or everything --since that failed or was held.

    \b
    Examples:
      galw partners deliveries replay ENDPOINT EVENT
      galw partners deliveries replay ENDPOINT --since 6h
    """
    if (event is None) == (since is None):
        raise CommandError("Name either one EVENT or --since. See: galw partners deliveries list", Exit.USAGE)
    if event is not None:
        done = await client.post(f"{_ENDPOINTS}/{endpoint}/deliveries/{event}/replay")
    else:
        wish = {"since": parse_instant("--since", since)}
        done = await client.post(f"{_ENDPOINTS}/{endpoint}/replay", wish)
    count = done["deliveries"]
    say(orjson.dumps(done) if as_json else f"{count} {'delivery is' if count == 1 else 'deliveries are'} due again.")


async def _show_secrets(client: GalwClient, endpoint: str, as_json: bool) -> None:
    for one in (await client.get(f"{_ENDPOINTS}/{endpoint}/secrets"))["items"]:
        until = f", signs along until {one['expires_at']}" if one["expires_at"] else ""
        say(orjson.dumps(one) if as_json else f"{one['value']}  ({one['scheme']}{until})")


def _state(endpoint: Any) -> str:
    if endpoint["enabled"]:
        return "enabled"
    return f"disabled ({endpoint['disabled_reason']})" if endpoint["disabled_reason"] else "disabled"
