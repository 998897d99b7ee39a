"""Many days of one scenario: what each came to, and what they say together, with 95 % intervals."""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from services.dialer.domain.pacing import Policy
from services.simulator.floor import Day, simulate
from services.simulator.scenario import Scenario

MakePolicy = Callable[[], Policy]
# Two-sided 95 % points of Student's t by degrees of freedom; beyond them the normal one and a little is close enough.
_T = (
    12.71,
    4.30,
    3.18,
    2.78,
    2.57,
    2.45,
    2.36,
    2.31,
    2.26,
    2.23,
    2.20,
    2.18,
    2.16,
    2.14,
    2.13,
    2.12,
    2.11,
    2.10,
    2.09,
    2.09,
)
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and half the width of its 95 % interval; *half* is infinite for a single day."""

    mean: float
    half: float


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of independent days with Student's interval."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return Interval(mean, float("inf"))
    spread = sqrt(sum([(value - mean) ** 2 for value in values]) / (len(values) - 1))
    degrees = len(values) - 1
    factor = _T[degrees - 1] if degrees <= len(_T) else _Z + 2.5 / degrees
    return Interval(mean, factor * spread / sqrt(len(values)))


def at_least(kept: int, days: int) -> float:
    """Return the lower end of Wilson's one-sided 95 % interval of a share of days."""
    z = 1.645
    share = kept / days
    middle = share + z * z / (2 * days)
    return (middle - z * sqrt(share * (1 - share) / days + z * z / (4 * days * days))) / (1 + z * z / days)


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One day in a line: *occupancy* after the warm-up, everything else over the whole day.

    *caps* are (answered, abandoned, cap's rate) of each cap's campaigns together.
    """

    scenario: str
    policy: str
    seed: int
    operators: int
    occupancy: float
    dialed: int
    answered: int
    abandoned: int
    waited_s: float
    decisions: int
    caps: tuple[tuple[int, int, float], ...]

    @property
    def share(self) -> float:
        """Abandoned ÷ answered over all campaigns."""
        return self.abandoned / self.answered if self.answered else 0.0

    @property
    def kept(self) -> bool:
        """Whether each cap with a hundred answers or more was kept at the end of the day."""
        return all(abandoned <= rate * answered for answered, abandoned, rate in self.caps if answered >= 100)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def figures(scenario: Scenario, day: Day, policy: str, seed: int) -> DayFigures:
    """Return a simulated day in a line."""
    whole = day.whole
    caps = tuple(
        (
            sum(whole[name].answered for name in cap.campaigns),
            sum(whole[name].abandoned for name in cap.campaigns),
            cap.rate,
        )
        for cap in scenario.caps
    )
    return DayFigures(
        scenario=scenario.name,
        policy=policy,
        seed=seed,
        operators=day.operators,
        occupancy=day.occupancy,
        dialed=sum(tally.dialed for tally in whole.values()),
        answered=sum(tally.answered for tally in whole.values()),
        abandoned=sum(tally.abandoned for tally in whole.values()),
        waited_s=sum(tally.waited_s for tally in whole.values()),
        decisions=day.decisions,
        caps=caps,
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """Days of one scenario under one policy."""

    days: int
    occupancy: Interval
    share: Interval
    wait_s: Interval
    kept: int
    worst: float  # the highest share of a day with 400 answers or more

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values; the interval of a single day is null."""
        row: dict[str, Any] = {"days": self.days, "days_under_cap": self.kept, "worst_share": self.worst}
        for name, one in (("occupancy", self.occupancy), ("share", self.share), ("wait_s", self.wait_s)):
            row[name] = {"mean": one.mean, "plus_minus": one.half if self.days > 1 else None}
        row["days_under_cap_at_least"] = at_least(self.kept, self.days)
        return row


def summarise(days: Sequence[DayFigures]) -> Summary:
    """Return what days say together."""
    return Summary(
        days=len(days),
        occupancy=interval([day.occupancy for day in days]),
        share=interval([day.share for day in days]),
        wait_s=interval([day.waited_s / day.answered if day.answered else 0.0 for day in days]),
        kept=sum(day.kept for day in days),
        worst=max([day.share for day in days if day.answered >= 400], default=0.0),
    )


def study(
    scenario: Scenario,
    make: MakePolicy,
    policy: str,
    seeds: Sequence[int],
    progress: Callable[[float], None] | None = None,
) -> list[tuple[DayFigures, Day]]:
    """Simulate one day per seed, each with a policy that knows nothing; *progress* hears the share that is done."""
    done: list[tuple[DayFigures, Day]] = []
    for index, seed in enumerate(seeds):

        def watch(share: float, index: int = index) -> None:
            if progress is not None:
                progress((index + share) / len(seeds))

        # A day's chance needs no secrecy.
        day = simulate(scenario, make(), random.Random(seed), watch=watch)  # noqa: S311
        done.append((figures(scenario, day, policy, seed), day))
    return done
