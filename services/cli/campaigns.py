"""`galw campaigns`: from a draft to the last answer."""

import asyncio
from pathlib import Path
from typing import Any

import click
import orjson
import yaml
from rich.console import Console
from rich.live import Live
from rich.table import Table

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.why import why

_PATH = "/api/dialer/campaigns"
_ORDERS = ("launch", "pause", "resume", "stop", "finish")


@click.group()
def command() -> None:
    """Create, launch, pause, stop and watch campaigns."""


command.add_command(why)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one campaign a line.")
@with_client
async def list_campaigns(client: GalwClient, *, as_json: bool) -> None:
    """List campaigns, newest first."""
    table = Table("id", "name", "state", "mode", "launched")
    async for one in client.pages(_PATH):
        if as_json:
            click.echo(orjson.dumps(one))
        else:
            table.add_row(one["id"], one["name"], one["state"], one["plan"]["mode"], one["launched_at"] or "–")
    if not as_json:
        Console().print(table)


@command.command("create")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def create_campaign(client: GalwClient, file: Path, *, as_json: bool) -> None:
    """Draft a campaign from a YAML or JSON FILE: name, script, audience and plan.

    The script may stand in the file under `script` (it is written first) or be named by `script_id`; the audience may
    be a filter under `audience` or be named by `audience_id`. `docs/campaigns.md` shows a whole file.
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
    _tell(campaign, as_json, f"Drafted {campaign['name']!r}: {campaign['id']}. Launch it with: galw campaigns launch …")


def _read(file: Path) -> dict[str, Any]:
    try:
        wish = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is neither YAML nor JSON: {error}", Exit.USAGE) from error
    if not isinstance(wish, dict):
        raise CommandError(f"{file} must be a mapping with name, script, audience and plan.", Exit.USAGE)
    return wish  # pyright: ignore[reportUnknownVariableType]


def _order(name: str, text: str) -> None:
    @command.command(name, help=text)
    @click.argument("campaign_id")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @with_client
    async def order(client: GalwClient, campaign_id: str, *, as_json: bool) -> None:
        campaign = await client.post(f"{_PATH}/{campaign_id}/{name}")
        _tell(campaign, as_json, f"{campaign['name']!r} is {campaign['state']} now.")

    del order


for _name, _text in (
    ("launch", "Start calling; everything that is missing is named at once."),
    ("pause", "Place no new calls; conversations go on."),
    ("resume", "Go on calling."),
    ("stop", "End the campaign for good."),
    ("finish", "End the campaign as done."),
):
    _order(_name, _text)


@command.command("watch")
@click.argument("campaign_id")
@click.option("--once", is_flag=True, help="Show where it stands and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line every two seconds.")
@with_client
async def watch(client: GalwClient, campaign_id: str, *, once: bool, as_json: bool) -> None:
    """Watch where a campaign stands, until Ctrl-C."""
    campaign = await client.get(f"{_PATH}/{campaign_id}")
    if once or as_json:
        await _print_progress(client, campaign, once=once, as_json=as_json)
        return
    with Live(console=Console(), refresh_per_second=2) as screen:
        while True:
            screen.update(_table(campaign, await client.get(f"{_PATH}/{campaign_id}/progress")))
            await asyncio.sleep(2)


async def _print_progress(client: GalwClient, campaign: dict[str, Any], *, once: bool, as_json: bool) -> None:
    while True:
        progress = await client.get(f"{_PATH}/{campaign['id']}/progress")
        if as_json:
            click.echo(orjson.dumps({"campaign": campaign["name"], **progress}))
        else:
            Console().print(_table(campaign, progress))
        if once:
            return
        await asyncio.sleep(2)


def _table(campaign: dict[str, Any], progress: dict[str, Any]) -> Table:
    table = Table(title=f"{campaign['name']} ({campaign['state']})", show_header=False)
    for title, counts in (
        ("leads", progress["leads"]),
        ("results", progress["results"]),
        ("attempts", progress["outcomes"]),
        ("waiting for", {one["held_by"]: one["leads"] for one in progress["held"]}),
    ):
        words = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in sorted(counts.items()))
        table.add_row(title, words or "–")
    table.add_row("talk time", f"{progress['talk_s'] / 3600:.1f} h")
    return table


def _tell(campaign: dict[str, Any], as_json: bool, sentence: str) -> None:
    click.echo(orjson.dumps(campaign) if as_json else sentence)
