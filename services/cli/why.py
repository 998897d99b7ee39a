"""`galw campaigns why`: what holds a campaign's leads back, and how many may be called over the next day."""

from datetime import datetime
from typing import Any

import click
import orjson
from rich.table import Table
from rich.text import Text

from services.cli.client import GalwClient, with_client
from services.cli.finding import find_id
from services.cli.output import Screen, plain, say

_BLOCKS = " ▁▂▃▄▅▆▇█"
_HELD = "░"
_ROWS = 5
_CALLABLE, _DUE = "green", "bright_black"


@click.command("why")
@click.argument("campaign")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def why(client: GalwClient, campaign: str, *, as_json: bool) -> None:
    """Say why nobody, or not everybody, is being called.

    Per filter: how many leads it holds back now, when the first of them come free, and how many come then. The chart
    shows, for a day ahead, the leads whose time has come and how many of them may be called at that hour.

    \b
    Example:
      galw campaigns why "Line quality"
    """
    campaign_id = await find_id(client, "/api/dialer/campaigns", campaign, "campaign")
    answer = await client.get(f"/api/dialer/campaigns/{campaign_id}/why")
    if as_json:
        say(orjson.dumps(answer))
        return
    console = Screen()
    console.print(Text.assemble((plain(answer["name"]), "bold"), f" ({answer['state']}): {plain(answer['answer'])}"))
    if answer["pacing"]:
        console.print(f"Pacing: {answer['pacing']}.")
    console.print(_standing(answer))
    if answer["obstacles"]:
        console.print(_obstacles(answer["obstacles"]))
    if ruled := [one for one in answer["done"] if one["ruled_out_by"]]:
        words = ", ".join(f"{one['leads']:,} by {one['ruled_out_by']}" for one in ruled)
        console.print(f"Ruled out for good: {words}.")
    console.print(chart(answer["chart"]))
    if answer["estimated"]:
        console.print("Figures with “about”, and the chart, come from a sample of leads.", style="dim")


def _standing(answer: dict[str, Any]) -> str:
    about = "about " if answer["estimated"] else ""
    return (
        f"{answer['waiting']:,} leads wait, {answer['busy']:,} are being called, {answer['finished']:,} are done. "
        f"The time of {answer['due']:,} has come; {about}{answer['callable']:,} of them may be called."
    )


def _obstacles(obstacles: list[dict[str, Any]]) -> Table:
    table = Table("held by", "leads", "next come free", "because")
    table.columns[1].justify = table.columns[2].justify = "right"
    for one in obstacles:
        about = "about " if one["estimated"] else ""
        free = "–" if one["until"] is None else f"{about}{one['frees']:,} at {_hour(one['until'])}"
        rule = f" ({one['rule']})" if one["rule"] and "." in one["rule"] else ""
        table.add_row(one["filter"].replace("_", " "), f"{about}{one['leads']:,}", free, f"{one['text']}{rule}")
    return table


def chart(points: list[dict[str, Any]]) -> Text:
    """Return columns of blocks, one per half hour: what may be called in colour, what only waits for it in grey."""
    most = max(point["due"] for point in points)
    top = max(1, most)
    drawn = Text(f"{most:,} {'lead' if most == 1 else 'leads'}\n", style="dim")
    for row in reversed(range(_ROWS)):
        for point in points:
            callable_height, due_height = (point[key] / top * _ROWS - row for key in ("callable", "due"))
            if callable_height > 0 or due_height <= 0:
                drawn.append(_block(callable_height), style=_CALLABLE)
            else:
                drawn.append(_HELD, style=_DUE)
        drawn.append("\n")
    ticks = ["now", *(_hour(points[index]["at"]) for index in range(8, len(points), 8))]
    drawn.append("".join(f"{tick:<8}" for tick in ticks).rstrip() + "\n", style="dim")
    drawn.append("█", style=_CALLABLE)
    drawn.append(" may be called  ")
    drawn.append(_HELD, style=_DUE)
    drawn.append(" time has come, held back")
    return drawn


def _block(height: float) -> str:
    eighths = round(max(0.0, min(1.0, height)) * 8)
    return _BLOCKS[max(eighths, 1) if height > 0 else 0]


def _hour(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone().strftime("%H:%M")
