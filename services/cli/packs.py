"""`galw packs`: the rule packs as pages to read, to check, to compare and to prove."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.facts import read_line
from services.cli.finding import find_id, names_of
from services.cli.output import Screen, moment, say, table_of
from services.dialer import packloader
from services.dialer.domain.gate import FactError, Packs, check, decide, opt_out_words, parse_facts
from services.dialer.domain.gate.nodes import PackError
from services.dialer.domain.gate.packs import Example, Pack
from services.dialer.domain.gate.words import differences, page

_FOLDERS = click.option(
    "--packs",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with packs of your own, beside the shipped ones.",
)
_RUNNING = click.option(
    "--running", is_flag=True, help="Of the Galw that runs, not of those that ship with this command."
)


@click.group()
def command() -> None:
    """List, show, check, compare and test rule packs."""


@command.command("list")
@_FOLDERS
@_RUNNING
@click.option("--json", "as_json", is_flag=True, help="One JSON object a pack.")
def list_packs(folders: tuple[Path, ...], running: bool, as_json: bool) -> None:
    """List the packs that ship with Galw, or those in force in the one that runs.

    \b
    Examples:
      galw packs list
      galw packs list --running
    """
    if running:
        _refuse_both(folders)
        _list_running(as_json=as_json)
        return
    for pack in _load(folders).in_force:
        row = {
            "id": pack.id,
            "version": pack.version,
            "status": pack.status,
            "rules": len(pack.rules),
            "jurisdictions": list(pack.jurisdictions),
            "title": pack.title,
        }
        _tell_pack(row, as_json)


@with_client
async def _list_running(client: GalwClient, *, as_json: bool) -> None:
    for row in (await client.get("/api/dialer/packs"))["items"]:
        _tell_pack(row, as_json)


def _tell_pack(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(orjson.dumps(row))
    else:
        own = "" if row.get("shipped", True) else "  (your own)"
        text = f"{row['id']:<10} {row['version']:<8} {row['status']:<9} {row['rules']:>2} rules  {row['title']}{own}"
        say(text)


def _refuse_both(folders: tuple[Path, ...]) -> None:
    if folders:
        raise CommandError("Give either --packs or --running: what runs has its own packs.", Exit.USAGE)


@command.command()
@click.argument("pack_id")
@_FOLDERS
@_RUNNING
def show(pack_id: str, folders: tuple[Path, ...], running: bool) -> None:
    """Print a pack as a page: each rule, what it does, its citation and its dates.

    \b
    Examples:
      galw packs show us
      galw packs show our-hours --running
    """
    if running:
        _refuse_both(folders)
        _show_running(pack_id)
        return
    say("\n".join(page(_find(_load(folders), pack_id))))


@with_client
async def _show_running(client: GalwClient, pack_id: str) -> None:
    say((await client.get(f"/api/dialer/packs/{quote(pack_id, safe='')}"))["text"])


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one change a line.")
@with_client
async def history(client: GalwClient, *, as_json: bool) -> None:
    """Show who put which pack in force in place of which, newest first.

    \b
    Example:
      galw packs history
    """
    changes = [one async for one in client.pages("/api/dialer/packs/changes")]
    if as_json:
        for one in changes:
            say(orjson.dumps(one))
        return
    names = await names_of(client, (one["by"] for one in changes))
    table = table_of("when", "pack", "was", "is", "by")
    for one in changes:
        table.add_row(moment(one["at"]), one["id"], one["before"] or "–", one["after"] or "retired", names[one["by"]])
    Screen().print(table)


@command.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def check_files(files: tuple[Path, ...]) -> None:
    """Check pack files or folders together with the shipped packs; name every problem by file, line and rule.

    \b
    Example:
      galw packs check my-packs/
    """
    paths = [p for f in files for p in (sorted(f.glob("*.yaml")) if f.is_dir() else [f])]
    shipped = [p for p in sorted(packloader.SHIPPED.glob("*.yaml")) if p.resolve() not in {q.resolve() for q in paths}]
    try:
        packs = packloader.read_files([*shipped, *paths])
    except PackError as error:
        raise click.ClickException(f"refused; what is in force stays in force\n{error}") from error
    say(f"{len(paths)} files are well formed; {len(packs)} packs fit together.")


@command.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_client
async def put(client: GalwClient, file: TextIO, *, as_json: bool) -> None:
    """Put the pack in FILE in force on every dialer, without a restart; each version keeps one text for ever.

    \b
    Example:
      galw packs put our-hours.yaml
    """
    text = file.read()
    try:
        packloader.parse_text(text, file.name)  # what is wrong with it alone is said by its file and line
    except PackError as error:
        raise CommandError(f"refused; what is in force stays in force\n{error}", Exit.REFUSED) from error
    answer = await client.post("/api/dialer/packs", {"text": text})
    if as_json:
        say(orjson.dumps(answer))
        return
    say(f"{answer['id']} {answer['version']} is in force.")
    for change in answer["changes"]:
        say(f"  {change}")


@command.command()
@click.argument("pack_id")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_client
async def retire(client: GalwClient, pack_id: str, *, as_json: bool) -> None:
    """Take a pack of the organisation out of force; what ships under its id takes its place.

    \b
    Example:
      galw packs retire our-hours
    """
    await client.request("DELETE", f"/api/dialer/packs/{pack_id}")
    say(orjson.dumps({"retired": pack_id}) if as_json else f"{pack_id} is retired.")


@command.command("relied-on")
@click.argument("campaign")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_client
async def relied_on(client: GalwClient, campaign: str, *, as_json: bool) -> None:
    """Say which packs CAMPAIGN (id or name) relies on, and which of them no counsel has approved.

    \b
    Example:
      galw packs relied-on "Line quality"
    """
    campaign_id = await find_id(client, "/api/dialer/campaigns", campaign, "campaign")
    for one in (await client.get(f"/api/dialer/campaigns/{campaign_id}/packs"))["items"]:
        row = f"{one['id']:<10} {one['version']:<8} {one['status']:<9} {one['leads']:>6} leads  {one['title']}"
        say(orjson.dumps(one) if as_json else row)


@command.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("new", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--leads", type=click.File("rb"), help="Facts of leads, one JSON a line: count whom the change touches.")
@click.option("--campaign", "campaign_id", help="Count whom of this campaign it touches, against what is in force.")
def diff(old: Path, new: Path, leads: Iterable[bytes] | None, campaign_id: str | None) -> None:
    """Say in words what a new version of a pack changes.

    \b
    Example:
      galw packs diff old/us.yaml new/us.yaml --leads leads.jsonl
    """
    try:
        before, after = packloader.read_pack(old), packloader.read_pack(new)
    except PackError as error:
        raise click.ClickException(str(error)) from error
    say("\n".join(differences(before, after)) or "The packs say the same.")
    if leads is not None:
        others = tuple(pack for pack in _load(()).in_force if pack.id not in (before.id, after.id))
        places = packloader.load_places()
        touched, asked, wrong = count_touched(leads, Packs(places, (*others, before)), Packs(places, (*others, after)))
        say(f"{touched} of {asked} leads are answered otherwise" + (f"; {wrong} lines are wrong" if wrong else ""))
    if campaign_id is not None:
        _count_in_campaign(new.read_text("utf-8"), campaign_id)


@with_client
async def _count_in_campaign(client: GalwClient, text: str, campaign_id: str) -> None:
    wish = {"text": text, "campaign_id": campaign_id}
    found = await client.post("/api/dialer/packs/compare", wish)
    first = "the first " if found["more"] else ""
    say(f"{found['touched']} of {first}{found['asked']} waiting leads of the campaign are answered otherwise")


@command.command()
@click.argument("pack_ids", nargs=-1)
@_FOLDERS
def test(pack_ids: tuple[str, ...], folders: tuple[Path, ...]) -> None:
    """Run the cases that packs carry: each must come out as it says, and otherwise without the rule it is about.

    \b
    Example:
      galw packs test us ca
    """
    packs = _load(folders)
    failures, cases = list[str](), 0
    for pack in packs.in_force:
        if not pack_ids or pack.id in pack_ids:
            cases += len(pack.cases)
            failures += failed_cases(pack, packs)
    for failure in failures:
        say(failure)
    say(f"{cases} cases, {len(failures)} failures")
    sys.exit(1 if failures else 0)


def failed_cases(pack: Pack, packs: Packs) -> Iterator[str]:
    """Yield what is wrong with *pack*'s cases, and which rules have none."""
    covered = {example.alone for example in pack.cases}
    for rule in pack.rules:
        if rule.id.partition(".")[2] not in covered:
            yield f"{rule.id}: no case shows that it decides"
    for index, example in enumerate(pack.cases, 1):
        name = f"{pack.id}, case {index}" + (f" ({example.alone})" if example.alone else "")
        try:
            problem = _outcome(example, pack, packs)
            told = example.alone is None or _outcome(example, pack, without_rule(packs, f"{pack.id}.{example.alone}"))
        except FactError as error:
            yield f"{name}: {error}"
            continue
        if problem:
            yield f"{name}: {problem}"
        elif not told:
            yield f"{name}: comes out the same without the rule"


def without_rule(packs: Packs, rule_id: str) -> Packs:
    """Return the packs with one rule taken out."""
    kept = tuple(replace(p, rules=tuple(r for r in p.rules if r.id != rule_id)) for p in packs.in_force)
    return Packs(packs.places, kept, packs.optional)


def _outcome(example: Example, pack: Pack, packs: Packs) -> str:
    """Return how the case comes out otherwise than it says; nothing when it comes out right."""
    if example.opt_out is not None:
        known = example.opt_out in opt_out_words(packs, pack.jurisdictions)
        return "" if known else f"{example.opt_out!r} does not mean no"
    facts, at = parse_facts(dict(example.facts), packs.places)
    decision = decide(facts, packs, at)
    stored = decision.to_json()
    if decision.decision != example.expect or (example.until and stored["until"] != example.until):
        return f"expected {example.expect} {example.until or ''}, is {decision.decision} {stored['until'] or ''}"
    if example.min_ring_s not in (None, decision.min_ring_s):
        return f"expected to ring {example.min_ring_s} s, is {decision.min_ring_s}"
    return ""


def count_touched(leads: Iterable[bytes], before: Packs, after: Packs) -> tuple[int, int, int]:
    """Return how many leads are answered otherwise, how many were asked about, and how many lines are wrong."""
    touched = asked = wrong = 0
    for line in leads:
        try:
            facts, at = parse_facts(read_line(line), before.places)
        except ValueError:
            wrong += 1
            continue
        asked += 1
        one, other = check(facts, before, at), check(facts, after, at)
        touched += (one.decision, one.until) != (other.decision, other.until)
    return touched, asked, wrong


def _find(packs: Packs, pack_id: str) -> Pack:
    for pack in packs.in_force:
        if pack.id == pack_id:
            return pack
    raise click.ClickException(f"there is no pack {pack_id!r}; galw packs list names all")


def _load(folders: tuple[Path, ...]) -> Packs:
    try:
        return packloader.load_packs(folders)
    except PackError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    command()
