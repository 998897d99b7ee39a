"""`galw campaigns`: from a draft to the last answer."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import orjson
import yaml
from rich.live import Live
from rich.table import Table

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.finding import find_id
from services.cli.output import Screen, moment, say, table_of
from services.cli.plans import show
from services.cli.why import why

_PATH = "/api/dialer/campaigns"


@click.group()
def command() -> None:
    """Create, launch, show, pause, stop and watch campaigns; a campaign is named by its id or its name.

    \b
    From a file to the answers:
      galw campaigns create docs/tour/campaign.yaml
      galw campaigns launch "Line quality"
      galw campaigns watch "Line quality"
      galw campaigns show "Line quality"
      galw responses export --campaign "Line quality"
    """


command.add_command(show)
command.add_command(why)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one campaign a line.")
@with_client
async def list_campaigns(client: GalwClient, *, as_json: bool) -> None:
    """List campaigns, newest first.

    \b
    Example:
      galw campaigns list
    """
    table = table_of("id", "name", "state", "mode", "launched")
    async for one in client.pages(_PATH):
        if as_json:
            say(orjson.dumps(one))
        else:
            table.add_row(one["id"], one["name"], one["state"], one["plan"]["mode"], moment(one["launched_at"]))
    if not as_json:
        Screen().print(table)


@command.command("forecast")
@click.argument("campaign")
@click.option("--operators", required=True, type=click.IntRange(1, 1000), help="How many will be at work.")
@click.option(
    "--at", "launch_at", help="When it is launched, with an offset: 2026-11-25T10:00:00+01:00; now if left out."
)
@click.option("--leads", type=click.IntRange(0), help="How many leads, if not those waiting.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def forecast_campaign(
    client: GalwClient, *, campaign: str, operators: int, launch_at: str | None, leads: int | None, as_json: bool
) -> None:
    """Say when a campaign would end, and how busy its operators would be. It simulates, which takes seconds.

    \b
    Example:
      galw campaigns forecast "Line quality" --operators 8 --at 2026-11-25T10:00:00+01:00
    """
    campaign_id = await find_id(client, _PATH, campaign, "campaign")
    wish = {"operators": operators, "launch_at": launch_at, "leads": leads}
    found = await client.get(
        f"{_PATH}/{campaign_id}/forecast", {key: value for key, value in wish.items() if value is not None}
    )
    say(orjson.dumps(found) if as_json else found["sentence"])


@command.command("create")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def create_campaign(client: GalwClient, file: Path, *, as_json: bool) -> None:
    """Draft a campaign from a YAML or JSON FILE: name, script, audience and plan.

    The script may stand in the file under `script` (it is written first) or be named by `script_id`; the audience may
    be a filter under `audience` or be named by `audience_id`. docs/tour/campaign.yaml is a whole file.

    \b
    Example:
      galw campaigns create docs/tour/campaign.yaml
    """
    wish = _read(file)
    if isinstance(wish.get("script"), dict):
        name = wish.get("name", file.stem)
        made = await client.post("/api/dialer/scripts", {"name": name, "script": wish.pop("script")})
        wish |= {"script_id": made["id"], "script_version": made["version"]}
    if "audience" in wish:
        audience = {"name": wish.get("name", file.stem), "filter": wish.pop("audience")}
        wish["audience_id"] = (await client.post("/api/crm/audiences", audience))["id"]
    campaign = await client.post(_PATH, wish)
    _tell(
        campaign,
        as_json,
        f"Drafted {campaign['name']!r}: {campaign['id']}. Launch it with: galw campaigns launch {campaign['id']}",
    )


@command.command("check")
@click.argument("campaign")
@click.option("--operators", type=click.IntRange(1, 1000), help="How many will be at work, if not all of the pool.")
@click.option("--at", "launch_at", help="When it will be launched, with an offset; now if left out.")
@click.option("--leads", type=click.IntRange(0), help="How many leads, if not its audience.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def check_campaign(
    client: GalwClient, *, campaign: str, operators: int | None, launch_at: str | None, leads: int | None, as_json: bool
) -> None:
    """Say what is missing for a launch, and what the launch would bring.

    \b
    Example:
      galw campaigns check "Line quality" --operators 8
    """
    found = await client.get(f"{_PATH}/{await find_id(client, _PATH, campaign, 'campaign')}")
    checked = await _check(client, found, {"operators": operators, "launch_at": launch_at, "leads": leads})
    if as_json:
        say(orjson.dumps(checked))
        return
    for one in checked["missing"]:
        say(f"Missing: {one['field']}: {one['problem']}")
    if checked["ready"]:
        say(f"{found['name']!r} has everything it needs.")
    say(_foresight(checked))


async def _check(client: GalwClient, campaign: dict[str, Any], wish: dict[str, Any]) -> dict[str, Any]:
    """Return the launch check; people of the audience who have not joined yet count as leads, too."""
    if wish["leads"] is None and campaign["audience_id"] is not None and campaign["state"] in ("draft", "running"):
        counted = await client.get(f"/api/crm/audiences/{campaign['audience_id']}/count")
        wish = {**wish, "leads": counted["count"]}
    asked = {key: value for key, value in wish.items() if value is not None}
    return await client.get(f"{_PATH}/{campaign['id']}/launch-check", asked)


def _foresight(checked: dict[str, Any]) -> str:
    return checked["forecast"]["sentence"] if checked["forecast"] else f"No forecast: {checked['no_forecast']}"


def _read(file: Path) -> dict[str, Any]:
    try:
        wish = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is neither YAML nor JSON: {error}", Exit.USAGE) from error
    if not isinstance(wish, dict):
        raise CommandError(f"{file} must be a mapping with name, script, audience and plan.", Exit.USAGE)
    return wish  # pyright: ignore[reportUnknownVariableType]


def _order(name: str, text: str) -> None:
    @command.command(name, help=f'{text}\n\n\b\nExample:\n  galw campaigns {name} "Line quality"')
    @click.argument("campaign")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @with_client
    async def order(client: GalwClient, campaign: str, *, as_json: bool) -> None:
        found = await client.post(f"{_PATH}/{await find_id(client, _PATH, campaign, 'campaign')}/{name}")
        _tell(found, as_json, f"{found['name']!r} is {found['state']} now.")

    del order


@command.command("launch")
@click.argument("campaign")
@click.option("--forecast/--no-forecast", default=True, help="Say what it will bring; takes seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def launch(client: GalwClient, *, campaign: str, forecast: bool, as_json: bool) -> None:
    """Start calling, then say what it will bring; everything that is missing is named at once.

    \b
    Example:
      galw campaigns launch "Line quality"
    """
    found = await client.post(f"{_PATH}/{await find_id(client, _PATH, campaign, 'campaign')}/launch")
    # It runs already: a forecast that is late or fails must not look like a launch that failed.
    try:
        nothing = {"operators": None, "launch_at": None, "leads": None}
        checked = await _check(client, found, nothing) if forecast else None
    except CommandError as error:
        checked = {"forecast": None, "no_forecast": str(error)}
    if as_json:
        say(orjson.dumps({**found, "forecast": checked["forecast"] if checked else None}))
        return
    say(f"{found['name']!r} is {found['state']} now.")
    if checked is not None:
        say(_foresight(checked))


for _name, _text in (
    ("pause", "Place no new calls; conversations go on."),
    ("resume", "Go on calling."),
    ("stop", "End the campaign for good."),
    ("finish", "End the campaign as done."),
):
    _order(_name, _text)


@command.command("watch")
@click.argument("campaign")
@click.option("--once", is_flag=True, help="Show where it stands and stop.")
@click.option("--until-responses", "wanted", type=click.IntRange(1, 200), help="Stop once so many have answered.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line every two seconds.")
@with_client
async def watch(client: GalwClient, campaign: str, *, once: bool, wanted: int | None, as_json: bool) -> None:
    """Watch where a campaign stands, until Ctrl-C.

    \b
    Examples:
      galw campaigns watch "Line quality"
      galw campaigns watch "Line quality" --until-responses 3
      galw campaigns watch "Line quality" --once --json
    """
    found = await client.get(f"{_PATH}/{await find_id(client, _PATH, campaign, 'campaign')}")
    # A table that is drawn anew is for eyes; a program gets one line each time.
    console = Screen()
    live = Live(console=console, refresh_per_second=2) if not (as_json or once) and console.is_terminal else None
    with live or nullcontext():
        while True:
            progress = await _progress(client, found)
            done = once or (wanted is not None and await _answered(client, found["id"], wanted))
            if as_json:
                say(orjson.dumps({"campaign": found["name"], **progress}))
            elif live is not None:
                live.update(_table(found, progress))
            elif done or wanted is None:
                console.print(_table(found, progress))
            if done:
                return
            await asyncio.sleep(2)


def _waits_for(held_by: str) -> str:
    return "their turn" if held_by == "nothing" else held_by


async def _answered(client: GalwClient, campaign_id: str, wanted: int) -> bool:
    """Return whether the CRM has *wanted* responses of the campaign: what an export would hold."""
    found = await client.get("/api/crm/responses", {"campaign_id": campaign_id, "limit": wanted})
    return len(found["items"]) >= wanted


async def _progress(client: GalwClient, campaign: dict[str, Any]) -> dict[str, Any]:
    """Return where the campaign stands, with how many people of its audience have joined."""
    progress = await client.get(f"{_PATH}/{campaign['id']}/progress")
    try:
        enrolment = await client.get(f"/api/crm/campaigns/{campaign['id']}/enrolment")
    except CommandError as error:
        if error.exit_code != Exit.NOT_FOUND:  # the CRM has not heard of a young campaign yet
            raise
        enrolment = {"enrolled": 0, "complete": False}
    return {**progress, "enrolled": enrolment["enrolled"], "enrolment_complete": enrolment["complete"]}


def _table(campaign: dict[str, Any], progress: dict[str, Any]) -> Table:
    table = Table(title=f"{campaign['name']} ({campaign['state']})", show_header=False)
    more = "" if progress["enrolment_complete"] else ", more are joining"
    table.add_row("people", f"{progress['enrolled']:,}{more}")
    waiting = {_waits_for(one["held_by"]): one["leads"] for one in progress["held"]}
    for title, counts in (
        ("leads", progress["leads"]),
        ("results", progress["results"]),
        ("attempts", progress["outcomes"]),
        ("waiting for", waiting),
    ):
        words = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in sorted(counts.items()))
        table.add_row(title, words or "–")
    table.add_row("talk time", f"{progress['talk_s'] / 3600:.1f} h")
    return table


def _tell(campaign: dict[str, Any], as_json: bool, sentence: str) -> None:
    say(orjson.dumps(campaign) if as_json else sentence)
