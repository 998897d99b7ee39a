"""`galw campaigns show`: one campaign with its plan in words, and who changed what, when."""

import re
from collections.abc import Iterator
from typing import Any

import click
import orjson
from rich.table import Table

from services.cli.client import CommandError, GalwClient, with_client
from services.cli.finding import find_id, names_of
from services.cli.output import Screen, moment, say, table_of

_CAMPAIGNS = "/api/dialer/campaigns"
_SPAN = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")
_WEEK = 7


@click.command("show")
@click.argument("campaign")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, the changes with it.")
@with_client
async def show(client: GalwClient, campaign: str, *, as_json: bool) -> None:
    """Show CAMPAIGN (id or name): its script, audience and plan, and who changed what, when.

    \b
    Examples:
      galw campaigns show "Line quality"
      galw campaigns show "Line quality" --json
    """
    path = f"{_CAMPAIGNS}/{await find_id(client, _CAMPAIGNS, campaign, 'campaign')}"
    found = await client.get(path)
    changes = [one async for one in client.pages(f"{path}/changes", {"limit": 200})]
    names = await names_of(client, (one["by"] for one in changes))
    if as_json:
        told = [{**one, "by_name": names[one["by"]]} for one in changes]
        say(orjson.dumps({**found, "changes": told}))
        return
    console = Screen()
    console.print(_facts(found, await _parts(client, found)))
    table = table_of("when (UTC)", "by", "change")
    for one in changes:
        what = "\n".join([one["change"], *differences(one["before"], one["after"])])
        table.add_row(moment(one["at"]), names[one["by"]], what)
    console.print(table)


async def _parts(client: GalwClient, campaign: dict[str, Any]) -> dict[str, str]:
    """Return what the campaign is made of, by name."""
    pools = {one["id"]: one["name"] async for one in client.pages("/api/dialer/pools")}
    parts = {"pool": pools.get(campaign["pool_id"], campaign["pool_id"]), "script": "none yet", "audience": "none yet"}
    if campaign["script_id"] is not None:
        version = campaign["script_version"]
        script = await client.get(f"/api/dialer/scripts/{campaign['script_id']}", {"version": version})
        parts["script"] = f"{script['name']}, version {version} ({', '.join(script['script']['languages'])})"
    if campaign["audience_id"] is not None:
        try:
            audience = await client.get(f"/api/crm/audiences/{campaign['audience_id']}")
        except CommandError as error:  # the rest is worth seeing while the CRM is away
            parts["audience"] = f"{campaign['audience_id']}: {error.message}"
        else:
            parts["audience"] = f"{audience['name']}: {orjson.dumps(audience['filter']).decode()}"
    return parts


def _facts(campaign: dict[str, Any], parts: dict[str, str]) -> Table:
    table = Table(title=f"{campaign['name']} ({campaign['state']})", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("id", campaign["id"])
    for name, value in parts.items():
        table.add_row(name, value)
    for name in ("created_at", "launched_at", "ended_at"):
        table.add_row(name.removesuffix("_at"), moment(campaign[name]))
    table.add_section()
    for name, value in campaign["plan"].items():
        table.add_row(_label(name), in_words(name, value))
    return table


def differences(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Iterator[str]:
    """Yield one line for each thing that a change made another: what it was and what it became."""
    if before is None or after is None:
        return
    for name in after:
        if name == "plan":
            yield from differences(before["plan"], after["plan"])
        elif name != "state" and before.get(name) != after[name]:  # the change's own name says that
            was, became = in_words(name, before.get(name)), in_words(name, after[name])
            yield f"{_label(name)}: {was} → {became}"


def _label(name: str) -> str:
    return re.sub(r"_s$", " (seconds)", name).replace("_", " ")


def in_words(name: str, value: Any) -> str:
    """Return a setting of a campaign or its plan as a person says it."""
    if value is None or value in ("", []):
        return "none"
    match name:
        case "hours":
            return "; ".join(_hours(one) for one in value)
        case "caps":
            return "; ".join(f"at most {one['maximum']} that rang in {_span(one['window'])}" for one in value)
        case "cadence":
            return "\n".join(_step(one) for one in value)
        case "pacing_cap" | "fresh_share":
            return f"{100 * value:g} %"
        case _:
            return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _hours(one: dict[str, Any]) -> str:
    days = "every day" if len(one["days"]) == _WEEK else ", ".join(one["days"])
    return f"{one['start'][:5]}–{one['end'][:5]} {days}"


def _step(one: dict[str, Any]) -> str:
    if one["kind"] == "message":
        return f"{one['channel']} {one['template']!r} after {_span(one['after'])}"
    retries = [_retry(outcome, rule) for outcome, rule in sorted(one["retries"].items())]
    return "\n  ".join([f"call, at most {one['max_attempts']} attempts", *retries])


def _retry(outcome: str, rule: dict[str, Any]) -> str:
    other = " on another number" if rule["alternate_number"] else ""
    return f"{outcome.replace('_', ' ')}: again{other} after {_span(rule['delay'])}, {rule['maximum']}×"


def _span(iso: str) -> str:
    """Return a duration of ISO 8601 as pydantic writes it, such as PT1H30M, in days, hours, minutes and seconds."""
    found = _SPAN.fullmatch(iso)
    parts = zip(found.groups() if found else (), ("d", "h", "min", "s"), strict=False)
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or iso
