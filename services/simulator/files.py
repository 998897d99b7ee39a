"""Scenarios written down: TOML becomes a `Scenario`; what is wrong is said with the field's name.

Times of the day are hours from its beginning, durations are seconds. A curve is a number, or a list of [hour, value]
points joined by straight lines; a duration is a number (its mean), or a table of mean, cv and kind.
"""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.simulator.scenario import (
    HOUR_S,
    CampaignPlan,
    CapPlan,
    Carrier,
    Curve,
    OperatorPlan,
    OtherEnd,
    Scenario,
    Spread,
)

SHIPPED = Path(__file__).parent / "scenarios"
MODES = ("preview", "progressive", "ratio", "predictive", "agentless")
KINDS = ("gamma", "lognormal", "fixed")
WINDOWS = ("rolling", "day", "block")
ENDS = ("no_answer", "busy", "machine", "invalid", "failed")


class ScenarioError(Exception):
    """A scenario that cannot be used: *field* says where, the message what should stand there."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field


def shipped() -> list[str]:
    """Return the names of the scenarios that come with the product."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_scenario(name: str | Path) -> Scenario:
    """Read a file, or a shipped scenario by its name; raise ScenarioError when it cannot be used."""
    path = Path(name)
    if not path.exists() and (SHIPPED / f"{name}.toml").exists():
        path = SHIPPED / f"{name}.toml"
    try:
        text = path.read_text()
    except OSError as error:
        raise ScenarioError(str(name), f"a file, or one of {', '.join(shipped())} ({error.strerror})") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(str(name), f"TOML ({error})") from None
    return parse_scenario(table, path.stem)


def parse_scenario(table: Mapping[str, Any], name: str) -> Scenario:
    """Return the scenario that a decoded table describes."""
    top = _Table(table, "")
    campaigns = tuple(_campaign(part) for part in top.tables("campaigns")) or (CampaignPlan(),)
    ids = tuple(campaign.id for campaign in campaigns)
    if len(set(ids)) < len(ids):
        raise ScenarioError("campaigns.id", "each name once")
    operators = tuple(_operators(part, ids) for part in top.tables("operators")) or (OperatorPlan(campaigns=ids),)
    caps = tuple(_cap(part, ids) for part in top.tables("caps"))
    carrier = top.table("carrier")
    scenario = Scenario(
        name=top.text("name", name),
        hours=top.number("hours", 8.0, 0.01, 240.0),
        operators=operators,
        campaigns=campaigns,
        caps=caps or tuple(CapPlan((one,)) for one in ids),
        carrier=Carrier(carrier.number("delay_s", 0.0, 0.0, 60.0), carrier.number("loss", 0.0, 0.0, 0.9)),
        inbound_per_hour=top.curve("inbound_per_hour", 0.0, 0.0, 1e5),
        warmup_s=top.number("warmup_s", 0.0, 0.0, 240.0 * HOUR_S),
    )
    carrier.done()
    top.text("about", "")
    top.done()
    return scenario


def _campaign(part: "_Table") -> CampaignPlan:
    others = tuple(
        OtherEnd(
            other.choice("kind", "no_answer", ENDS),
            other.number("weight", 1.0, 0.0, 1e6),
            other.spread("ring", 25.0, 0.0),
        )
        for other in part.tables("others")
        if other.mark_all("kind", "weight", "ring")
    )
    plan = CampaignPlan(
        id=part.text("id", "a"),
        mode=part.choice("mode", "predictive", MODES),
        priority=part.number("priority", 1.0, 0.0, 1e6),
        answer=part.curve("answer", 0.3, 0.0, 1.0),
        ring=part.spread("ring", 10.0, 0.4),
        others=others or (OtherEnd(),),
        talk=part.spread("talk", 120.0, 1.0 / math.sqrt(2.0)),
        handling=part.curve("handling", 1.0, 0.01, 100.0),
        wrapup=part.spread("wrapup", 0.0, 1.0),
        leads=int(part.number("leads", 10_000_000, 0, 1e9)),
        max_lines=int(part.number("max_lines", 1000, 0, 1e5)),
        ratio=part.number("ratio", 1.5, 0.0, 100.0),
        starts_s=part.number("starts_h", 0.0, 0.0, 240.0) * HOUR_S,
        ends_s=part.number("ends_h", math.inf, 0.0, math.inf) * HOUR_S,
    )
    part.done()
    return plan


def _operators(part: "_Table", ids: tuple[str, ...]) -> OperatorPlan:
    shifts = part.pairs("shifts_h") or ((0.0, math.inf),)
    plan = OperatorPlan(
        count=int(part.number("count", 10, 1, 5000)),
        campaigns=part.names("campaigns", ids),
        shifts=tuple((begins * HOUR_S, ends * HOUR_S) for begins, ends in shifts),
        pauses_per_hour=part.number("pauses_per_hour", 0.0, 0.0, 60.0),
        pause=part.spread("pause", 300.0, 0.5),
        ready_signal_s=part.number("ready_signal_s", 0.0, 0.0, 600.0),
        ready_signal_error_s=part.number("ready_signal_error_s", 0.0, 0.0, 60.0),
    )
    part.done()
    return plan


def _cap(part: "_Table", ids: tuple[str, ...]) -> CapPlan:
    cap = CapPlan(
        campaigns=part.names("campaigns", ids),
        rate=part.number("rate", 0.03, 0.0, 1.0),
        wait_s=part.number("wait_s", 2.0, 0.0, 3600.0),
        window=part.choice("window", "day", WINDOWS),
        seconds=part.number("seconds", 86_400.0, 1.0, 1e9),
    )
    part.done()
    return cap


class _Table:
    """A TOML table whose fields are taken one by one; whatever was not taken at the end is a mistake."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self._where = where
        self._taken: set[str] = set()

    def done(self) -> None:
        for name in self._values:
            if name not in self._taken:
                raise ScenarioError(
                    f"{self._where}{name}", f"no such field; known are {', '.join(sorted(self._taken))}"
                )

    def mark_all(self, *names: str) -> bool:
        self._taken.update(names)
        self.done()
        return True

    def _take(self, name: str, default: Any) -> Any:
        self._taken.add(name)
        return self._values.get(name, default)

    def _checked(self, name: str, value: Any, least: float, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ScenarioError(f"{self._where}{name}", f"a number from {least:g} to {most:g}")
        return float(value)

    def number(self, name: str, default: float, least: float, most: float) -> float:
        return self._checked(name, self._take(name, default), least, most)

    def text(self, name: str, default: str) -> str:
        value = self._take(name, default)
        if not isinstance(value, str):
            raise ScenarioError(f"{self._where}{name}", "a text")
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self._take(name, default)
        if value not in choices:
            raise ScenarioError(f"{self._where}{name}", f"one of {', '.join(choices)}")
        return value

    def names(self, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
        value = self._take(name, list(known))
        if not isinstance(value, list) or not all(one in known for one in value):
            raise ScenarioError(f"{self._where}{name}", f"a list of {', '.join(known)}")
        return tuple(value)

    def pairs(self, name: str) -> tuple[tuple[float, float], ...]:
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
            raise ScenarioError(f"{self._where}{name}", "a list of [from, to]")
        return tuple(
            (self._checked(name, first, -math.inf, math.inf), self._checked(name, second, -math.inf, math.inf))
            for first, second in value
        )

    def curve(self, name: str, default: float, least: float, most: float) -> Curve:
        value = self._take(name, default)
        if not isinstance(value, list):
            return Curve(((0.0, self._checked(name, value, least, most)),))
        points = self.pairs(name)
        if not points or list(points) != sorted(points):
            raise ScenarioError(f"{self._where}{name}", "a number, or [hour, value] points in order")
        return Curve(tuple((hour * HOUR_S, self._checked(name, one, least, most)) for hour, one in points))

    def spread(self, name: str, mean: float, cv: float) -> Spread:
        value = self._take(name, mean)
        if not isinstance(value, Mapping):
            return Spread(self._checked(name, value, 0.0, 1e6), cv)
        inner = _Table(value, f"{self._where}{name}.")
        spread = Spread(
            inner.number("mean", mean, 0.0, 1e6),
            inner.number("cv", cv, 0.0, 20.0),
            inner.choice("kind", "gamma", KINDS),
        )
        inner.done()
        return spread

    def table(self, name: str) -> "_Table":
        value = self._take(name, {})
        if not isinstance(value, Mapping):
            raise ScenarioError(f"{self._where}{name}", "a table")
        return _Table(value, f"{self._where}{name}.")

    def tables(self, name: str) -> "list[_Table]":
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise ScenarioError(f"{self._where}{name}", f"tables headed [[{name}]]")
        return [_Table(one, f"{self._where}{name}[{index}].") for index, one in enumerate(value)]
