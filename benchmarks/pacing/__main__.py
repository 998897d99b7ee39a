"""Simulate days, and tell what they came to.

python -m benchmarks.pacing run sizes --days 20      # or scenarios, rules, all, or the name of one cell
python -m benchmarks.pacing report                   # tables into docs/pacing.md, the chart beside it
python -m benchmarks.pacing reduced                  # what make verify runs: fails when a cap is not kept
python -m benchmarks.pacing speed                    # how long a decision takes
"""

import json
import sys
from collections import defaultdict
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import click

from benchmarks.pacing import cells
from benchmarks.pacing.cells import Cell
from benchmarks.pacing.speed import measure
from services.simulator.charts import Chart, Series, to_svg
from services.simulator.study import DayFigures, Summary, at_least, study, summarise

RESULTS = Path(".data/pacing-days.jsonl")
PAGE = Path("docs/pacing")
TEXT = Path("docs/pacing.md")
BEGIN, END = "<!-- figures: written by benchmarks.pacing report -->", "<!-- end of figures -->"
HEADING = "| scenario | rule | occupancy, % | best, % | abandoned, % | days under the cap | worst day, % |"
SETS = {"sizes": cells.sizes, "scenarios": cells.scenarios, "rules": cells.rules, "reduced": cells.reduced}


def simulate_day(task: tuple[Cell, int]) -> DayFigures:
    """Simulate one day of one cell, in whichever process."""
    cell, seed = task
    [(figures, _)] = study(cell.scenario(), cell.make(), cell.policy, [seed])
    return figures


def load(results: Path) -> dict[tuple[str, str], dict[int, DayFigures]]:
    """Return the days known, by scenario and rule and seed."""
    known: dict[tuple[str, str], dict[int, DayFigures]] = defaultdict(dict)
    if results.exists():
        for line in results.read_text().splitlines():
            row: dict[str, Any] = json.loads(line)
            caps: Any = tuple(tuple(cap) for cap in row.pop("caps"))
            day = DayFigures(**row, caps=caps)
            known[day.scenario, day.policy][day.seed] = day
    return known


@click.group()
def main() -> None:
    """Pacing in figures."""


RESULTS_OPTION = click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="File of days.")


@main.command()
@click.argument("what")
@click.option("--days", default=20, help="Days of each cell, those known included.")
@click.option("--jobs", default=2, help="Processes.")
@RESULTS_OPTION
def run(what: str, days: int, jobs: int, results: Path) -> None:
    """Simulate the days of WHAT that are not known yet; stop it when you like, it goes on from there."""
    wanted = sum([make() for make in SETS.values()], list[Cell]()) if what == "all" else []
    name, _, policy = what.partition("/")
    wanted = wanted or (SETS[what]() if what in SETS else [Cell(name, policy or "galw")])
    known = load(results)
    tasks = [
        (cell, seed)
        for seed in range(1, days + 1)
        for cell in dict.fromkeys(wanted)
        if seed not in known[cell.name, cell.policy]
    ]
    results.parent.mkdir(parents=True, exist_ok=True)
    with Pool(jobs) as pool, results.open("a") as file:
        for index, day in enumerate(pool.imap_unordered(simulate_day, tasks), 1):
            file.write(json.dumps(day.to_row()) + "\n")
            file.flush()
            print(
                f"{index}/{len(tasks)} {day.scenario} {day.policy}:"
                f" {100 * day.occupancy:.1f} %, {100 * day.share:.2f} %"
            )


def row(cell: Cell, found: Summary) -> str:
    """Return one line of a table."""
    half = f" ± {100 * found.occupancy.half:.1f}" if found.days > 1 else ""
    columns = (
        cell.name,
        cell.policy,
        f"{100 * found.occupancy.mean:.1f}{half}",
        f"{cell.target:.1f}" if cell.target else "–",
        f"{100 * found.share.mean:.2f}",
        f"{found.kept} of {found.days} (≥ {100 * at_least(found.kept, found.days):.0f} %)",
        f"{100 * found.worst:.2f}",
    )
    return "| " + " | ".join(columns) + " |"


@main.command()
@RESULTS_OPTION
def report(results: Path) -> None:
    """Write the tables into docs/pacing.md and draw the chart beside it."""
    known = load(results)
    PAGE.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for title, wanted in (("Settings", cells.sizes()), ("Scenarios", cells.scenarios()), ("Rules", cells.rules())):
        found = [(cell, list(known[cell.name, cell.policy].values())) for cell in wanted]
        rows = [row(cell, summarise(days)) for cell, days in found if days]
        if rows:
            lines += [f"### {title}", "", HEADING, "|---|---|---|---|---|---|---|", *rows, ""]
    before, _, rest = TEXT.read_text().partition(BEGIN)
    TEXT.write_text("\n".join([before + BEGIN, "", *lines, END]) + rest.partition(END)[2])
    print("\n".join(lines))
    ours = [
        Series(f"setting {letter}", [(size, _mean(known, f"{letter}{size}")) for size in cells.SIZES])
        for letter in cells.BEST
    ]
    best = Series("best, setting A", [(size, cells.BEST["A"].get(size)) for size in cells.SIZES])
    chart = Chart("Occupancy by team size at a cap of 3 %", "operators", " %", [*ours, best], None, False, cells.SIZES)
    (PAGE / "occupancy-by-size.svg").write_text(to_svg(chart))


def _mean(known: dict[tuple[str, str], dict[int, DayFigures]], name: str) -> float | None:
    days = list(known[name, "galw"].values())
    return 100.0 * summarise(days).occupancy.mean if days else None


@main.command()
@click.option("--jobs", default=2, help="Processes.")
def reduced(jobs: int) -> None:
    """Simulate a day or two of a few cells; fail when a cap was not kept or occupancy is far off."""
    wanted = cells.reduced()
    with Pool(jobs) as pool:
        days = pool.map(simulate_day, [(cell, 1) for cell in wanted], chunksize=1)
    failed: list[str] = []
    for cell, day in zip(wanted, days, strict=True):
        print(row(cell, summarise([day])))
        if not day.kept:
            failed.append(f"{cell.name}: {100 * day.share:.2f} % abandoned")
        # A single day strays by a point or two; four below the target is no chance.
        if cell.target is not None and 100 * day.occupancy < cell.target - 4.0:
            failed.append(f"{cell.name}: occupancy {100 * day.occupancy:.1f} %")
    if len([one for one in failed if "abandoned" in one]) > 1 or any("occupancy" in one for one in failed):
        sys.exit("; ".join(failed))


@main.command()
def speed() -> None:
    """Measure a decision for 100 operators and 300 lines."""
    measure()


if __name__ == "__main__":
    main()
