"""Scenario files: those shipped, and what is said about wrong ones."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.simulate import command
from services.simulator.files import ScenarioError, load_scenario, parse_scenario, shipped


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_is_read_and_lasts_a_working_day(name: str) -> None:
    scenario = load_scenario(name)
    assert (scenario.name, scenario.hours) == (name, 8.0)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"hours": 0}, "hours"),
        ({"colour": "red"}, "colour"),
        ({"operators": 5}, "operators"),
        ({"operators": [{"count": 0}]}, "operators[0].count"),
        ({"operators": [{"campaigns": ["b"]}]}, "operators[0].campaigns"),
        ({"campaigns": [{"answer": 2}]}, "campaigns[0].answer"),
        ({"campaigns": [{"answer": [[2, 0.3], [1, 0.2]]}]}, "campaigns[0].answer"),
        ({"campaigns": [{"talk": {"mean": 9, "kind": "cauchy"}}]}, "campaigns[0].talk.kind"),
        ({"campaigns": [{"others": [{"ring": "long"}]}]}, "campaigns[0].others[0].ring"),
        ({"campaigns": [{}, {}]}, "campaigns.id"),
        ({"caps": [{"window": "week"}]}, "caps[0].window"),
        ({"carrier": {"loss": True}}, "carrier.loss"),
    ],
)
def test_a_wrong_scenario_is_refused_with_the_field(table: dict[str, object], field: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(table, "mine")
    assert refused.value.field == field


def test_simulating_prints_json_and_writes_charts(tmp_path: Path) -> None:
    scenario = tmp_path / "short.toml"
    scenario.write_text("hours = 0.6\n[[operators]]\ncount = 3\n")
    options = [str(scenario), "--days", "2", "--json", "--charts", str(tmp_path / "charts")]
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.get("seed") for row in rows] == [1, 2, None]
    assert rows[2]["summary"]["days"] == 2
    charts = sorted(path.name for path in (tmp_path / "charts").iterdir())
    assert charts == [f"short-{name}.svg" for name in ("abandonment", "lines", "occupancy", "waits")]
    assert all("<polyline" in (tmp_path / "charts" / name).read_text() for name in charts)


def test_a_name_nobody_knows_is_answered_with_those_known() -> None:
    result = CliRunner().invoke(command, ["holiday"])
    assert result.exit_code == 1
    assert "stationary" in result.output
