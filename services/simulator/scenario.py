"""What a simulated day is made of: operators, campaigns, drifts and faults; read from TOML or built in code."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over the day: straight lines between (second, value) points, level outside them."""

    points: tuple[tuple[float, float], ...]

    def at(self, second: float) -> float:
        """Return the value at one instant."""
        points = self.points
        if len(points) == 1 or second <= points[0][0]:
            return points[0][1]
        for (left, low), (right, high) in pairwise(points):
            if second < right:
                return low + (high - low) * (second - left) / (right - left)
        return points[-1][1]


def level(value: float) -> Curve:
    """Return a curve that never changes."""
    return Curve(((0.0, value),))


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of durations in seconds: mean, and standard deviation as a share of it.

    *kind* is gamma, lognormal (heavy tail) or fixed; an Erlang-2 is a gamma with *cv* 1/sqrt(2).
    """

    mean: float
    cv: float = 1.0
    kind: str = "gamma"

    def draw(self, generator: random.Random) -> float:
        """Draw one duration."""
        if self.mean <= 0.0 or self.cv <= 0.0 or self.kind == "fixed":
            return max(0.0, self.mean)
        if self.kind == "lognormal":
            variance = math.log(1.0 + self.cv * self.cv)
            return generator.lognormvariate(math.log(self.mean) - variance / 2.0, math.sqrt(variance))
        shape = 1.0 / (self.cv * self.cv)
        return generator.gammavariate(shape, self.mean / shape)


ERLANG_2_CV = 1.0 / math.sqrt(2.0)


@dataclass(frozen=True, slots=True)
class OtherEnd:
    """How a line that no person answers ends: what the carrier says, after how long, and with what weight."""

    kind: str = "no_answer"
    weight: float = 1.0
    ring: Spread = Spread(25.0, 0.0)


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """One campaign of the day. *answer* is the share of lines a person answers; *handling* scales talk time."""

    id: str = "a"
    mode: str = "predictive"
    priority: float = 1.0
    answer: Curve = Curve(((0.0, 0.3),))
    ring: Spread = Spread(10.0, 0.4)
    others: tuple[OtherEnd, ...] = (OtherEnd(),)
    talk: Spread = Spread(120.0, ERLANG_2_CV)
    handling: Curve = Curve(((0.0, 1.0),))
    wrapup: Spread = Spread(0.0)
    leads: int = 10_000_000
    max_lines: int = 1000
    ratio: float = 1.5
    starts_s: float = 0.0
    ends_s: float = math.inf


@dataclass(frozen=True, slots=True)
class OperatorPlan:
    """A group of like operators: when they work, when they rest, and whether they say when they will be ready."""

    count: int = 10
    campaigns: tuple[str, ...] = ("a",)
    shifts: tuple[tuple[float, float], ...] = ((0.0, math.inf),)
    pauses_per_hour: float = 0.0
    pause: Spread = Spread(300.0, 0.5)
    ready_signal_s: float = 0.0
    ready_signal_error_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CapPlan:
    """One cap of the day, as the engine will be told."""

    campaigns: tuple[str, ...] = ("a",)
    rate: float = 0.03
    wait_s: float = 2.0
    window: str = "day"
    seconds: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Carrier:
    """The carrier's faults as the dialer sees them: each signal late by up to *delay_s*, or lost with *loss*."""

    delay_s: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulated day; *inbound_per_hour* are callers who ring in and take the same operators."""

    name: str = "stationary"
    hours: float = 8.0
    operators: tuple[OperatorPlan, ...] = (OperatorPlan(),)
    campaigns: tuple[CampaignPlan, ...] = (CampaignPlan(),)
    caps: tuple[CapPlan, ...] = (CapPlan(),)
    carrier: Carrier = Carrier()
    inbound_per_hour: Curve = Curve(((0.0, 0.0),))
    warmup_s: float = 0.0


SETTINGS: Mapping[str, tuple[float, float]] = {
    "A": (0.30, 120.0),
    "B": (0.30, 240.0),
    "C": (0.10, 120.0),
    "D": (0.30, 60.0),
}


def setting(letter: str, operators: int, hours: float = 8.0, warmup_s: float = 0.0) -> Scenario:
    """Return one of the stationary settings A to D: answer rate and handling time differ, all else is equal."""
    answer, handling = SETTINGS[letter]
    return Scenario(
        name=f"{letter}{operators}",
        hours=hours,
        operators=(OperatorPlan(count=operators),),
        campaigns=(CampaignPlan(answer=level(answer), talk=Spread(handling, ERLANG_2_CV)),),
        warmup_s=warmup_s,
    )
