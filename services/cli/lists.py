"""`galw lists`: bring what do-not-call lists say about numbers, and see what was brought."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import orjson
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.output import progress_of, say
from services.runtime.errors import RejectedError
from services.runtime.phone import parse_phone

_LISTS = "/api/dialer/lists"
_BLOCK = 5_000
_SHOWN = 20
_TOLD = 1_000
_YES = {"yes": True, "true": True, "1": True, "listed": True, "no": False, "false": False, "0": False, "clean": False}


@click.group()
def command() -> None:
    """Bring what do-not-call lists say about numbers.

    A rule that needs a list lets a number be called only while it was compared with a recent version of the list.

    \b
    Example:
      galw lists scrub us_national_dnc answers.csv --version-on 2026-11-20
    """


@command.command()
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--version-on", required=True, help="The day of the list's version: 2026-11-20.")
@click.option("--region", help="Country (ISO 3166, such as US) of numbers without a country code.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def scrub(
    client: GalwClient, *, name: str, file: Path, version_on: str, region: str | None, as_json: bool
) -> None:
    """Bring the answers in FILE, a CSV file with the columns number and listed (yes or no), from the list NAME.

    Every number that was compared belongs in the file, not only the listed ones. A file with a wrong line is refused
    whole. Answers from a newer version of the list take the place of older ones.

    \b
    Example:
      galw lists scrub us_national_dnc answers.csv --version-on 2026-11-20 --region US
    """
    done: dict[str, int] = dict.fromkeys(("numbers", "listed", "older", "leads"), 0)
    with _progress(quiet=as_json) as progress:
        read = progress.add_task("Reading", total=None)
        answers = read_answers(file, region, lambda lines: progress.update(read, completed=lines))
        progress.update(read, total=len(answers), completed=len(answers))
        task = progress.add_task("Sending", total=len(answers))
        for start in range(0, len(answers), _BLOCK):
            block = answers[start : start + _BLOCK]
            taken = await client.post(f"{_LISTS}/{name}/scrubs", {"version_on": version_on, "numbers": block})
            done = {key: count + taken[key] for key, count in done.items()}
            progress.advance(task, len(block))
    if as_json:
        say(orjson.dumps({"list": name, "version_on": version_on, **done}))
        return
    say(f"{done['numbers']} numbers were compared with {name} of {version_on}; {done['listed']} stand on it.")
    if done["older"]:
        say(f"{done['older']} are known from a newer version, which stays.")
    if done["leads"]:
        say(f"{done['leads']} leads that waited for it are asked about again now.")


@command.command("imports")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@with_client
async def list_imports(client: GalwClient, *, limit: int, as_json: bool) -> None:
    """List what was brought, the newest first.

    \b
    Example:
      galw lists imports
    """
    for one in (await client.get(f"{_LISTS}/imports", {"limit": limit}))["items"]:
        row = f"{one['at']}  {one['list']} of {one['version_on']}: {one['numbers']} numbers, {one['listed']} listed"
        say(orjson.dumps(one) if as_json else row)


def _progress(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return progress_of(*columns, quiet=quiet)


def read_answers(file: Path, region: str | None, tell: Callable[[int], None]) -> list[dict[str, Any]]:
    """Return all answers of a file; raises `CommandError` naming the first wrong lines.

    *tell* hears now and then how many were read.
    """
    problems: list[str] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            answers: list[dict[str, Any]] = []
            for answer in _answers(csv.DictReader(text), region, problems):
                answers.append(answer)
                if len(answers) % _TOLD == 0:
                    tell(len(answers))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{file} is no CSV file in UTF-8: {error}", Exit.REFUSED) from error
    if problems:
        more = f"\n... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        shown = "\n".join(problems[:_SHOWN])
        raise CommandError(f"Nothing was brought; {len(problems)} lines are wrong:\n{shown}{more}", Exit.REFUSED)
    if not answers:
        raise CommandError(f"{file} has no line with a number.", Exit.REFUSED)
    return answers


def _answers(rows: "csv.DictReader[str]", region: str | None, problems: list[str]) -> Iterator[dict[str, Any]]:
    if missing := {"number", "listed"} - set(rows.fieldnames or ()):
        raise CommandError(f"The first line must name the column {' and '.join(sorted(missing))}.", Exit.REFUSED)
    for row in rows:
        listed = _YES.get((row["listed"] or "").strip().lower())
        if listed is None:
            problems.append(f"line {rows.line_num}: 'listed' must be yes or no")
            continue
        try:
            yield {"number": parse_phone(row["number"] or "", region), "listed": listed}
        except RejectedError as error:
            problems.append(f"line {rows.line_num}: {error.fields[0].problem}")
