"""`galw simulate`: a day on the floor before it happens."""

import sys
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.dialer.domain.pacing import Pacer, Policy
from services.simulator import baselines
from services.simulator.charts import day_charts, to_svg
from services.simulator.files import ScenarioError, load_scenario, shipped
from services.simulator.scenario import Scenario
from services.simulator.study import Summary, study, summarise

POLICIES = ("galw", "progressive", "ratio", "average", "hard_limit", "tapered", "predict1pi", "impact", "best")


def make_policy(name: str, scenario: Scenario, level: float) -> Policy:
    """Return a fresh policy; *level* is the ratio, or the highest level of ViciDial's adaptive methods."""
    match name:
        case "progressive":
            return baselines.Progressive()
        case "ratio":
            return baselines.FixedRatio(level)
        case "average" | "hard_limit" | "tapered":
            return baselines.ViciDial(baselines.Adapt(name), level)
        case "predict1pi":
            return baselines.Predict1PI()
        case "impact":
            return baselines.Impact()
        case "best":
            return baselines.Best(scenario.campaigns[0])
        case _:
            return Pacer()


@click.command()
@click.argument("scenario", required=False)
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 1000), help="Days, one seed each.")
@click.option("--seed", default=1, show_default=True, help="The first day's seed; equal seeds give equal days.")
@click.option("--policy", default="galw", show_default=True, type=click.Choice(POLICIES), help="Whose rule to run.")
@click.option("--level", default=1.2, show_default=True, help="The hand-set level of ratio and ViciDial's rules.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one day a line, then the summary.")
@click.option("--charts", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write SVG charts here.")
@click.option("--list", "listing", is_flag=True, help="List the scenarios that come with Galw.")
def command(
    scenario: str | None,
    days: int,
    seed: int,
    policy: str,
    level: float,
    as_json: bool,
    folder: Path | None,
    listing: bool,
) -> None:
    """Simulate days on a calling floor. SCENARIO is a TOML file, or the name of one that comes with Galw.

    The pacing is the very code the dialer runs. docs/pacing.md describes the file, the rules and their limits.

    \b
    Examples:
      galw simulate --list
      galw simulate stationary --days 5 --charts charts
      galw simulate answer-halves --policy average --level 1.2 --json

    \b
    Examples:
      galw simulate --list
      galw simulate stationary --days 3 --json
    """
    if listing or scenario is None:
        for name in shipped():
            click.echo(name)
        if not listing:
            raise click.UsageError("name one of these scenarios, or a TOML file of your own")
        return
    try:
        plan = load_scenario(scenario)
    except ScenarioError as error:
        raise click.ClickException(str(error)) from None
    if policy != "galw" and len(plan.campaigns) > 1:
        raise click.UsageError(f"the rule {policy!r} knows one campaign; {plan.name} has {len(plan.campaigns)}")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"{plan.name}, {days} {'day' if days == 1 else 'days'}", total=1.0)
        found = study(
            plan,
            lambda: make_policy(policy, plan, level),
            policy,
            range(seed, seed + days),
            lambda share: bar.update(task, completed=share),
        )
    summary = summarise([one for one, _ in found])
    if as_json:
        for one, _ in found:
            click.echo(orjson.dumps(one.to_row()))
        click.echo(orjson.dumps({"summary": summary.to_row()}))
    else:
        Console().print(_table(plan, summary))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        cap = min([one.rate for one in plan.caps], default=None)
        for name, chart in day_charts([day for _, day in found], cap).items():
            (folder / f"{plan.name}-{name}.svg").write_text(to_svg(chart))
        console.print(f"Charts are in {folder}.")


def _table(plan: Scenario, summary: Summary) -> Table:
    table = Table("figure", "mean", "± (95 %)", title=f"{plan.name}: {summary.days} × {plan.hours:g} h")
    several = summary.days > 1
    for name, one, factor, unit in (
        ("occupancy", summary.occupancy, 100.0, " %"),
        ("abandoned of answered", summary.share, 100.0, " %"),
        ("mean wait", summary.wait_s, 1.0, " s"),
    ):
        half = f"{one.half * factor:.2f}{unit}" if several else "–"
        table.add_row(name, f"{one.mean * factor:.2f}{unit}", half)
    table.add_row("days under the cap", f"{summary.kept} of {summary.days}", "–")
    return table
