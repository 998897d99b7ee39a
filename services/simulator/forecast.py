"""What a launch would bring, from a campaign's own history: when it ends, how busy operators are, who is abandoned.

Each run draws an answer rate that the history allows (few lines, wide guesses), simulates the first hour, and
goes on at the pace it found. `python -m services.simulator.forecast` does it for a JSON object on standard input, so
that a service can leave the work to a process of its own.
"""

import json
import random
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil, sqrt
from typing import Any

from services.dialer.domain.pacing import Pacer
from services.simulator.floor import simulate
from services.simulator.scenario import CampaignPlan, CapPlan, OperatorPlan, OtherEnd, Scenario, Spread, level
from services.simulator.study import Interval, interval

RUNS = 4
WARMUP_S = 900.0
SIMULATED_S = 2400.0
# A floor of a hundred takes a run of an hour some seconds; beyond it one of a hundred says nearly the same.
MOST_OPERATORS = 100


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a campaign's lines and conversations; the defaults are a cautious guess without any history."""

    lines: int = 0
    answer_rate: float = 0.25
    ring_s: float = 10.0
    other_s: float = 22.0
    talk_s: float = 120.0
    talk_cv: float = 0.8
    wrapup_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What is planned: lines to place in all (leads × attempts each), operators, mode and cap."""

    lines: int
    operators: int
    mode: str = "predictive"
    cap: float = 0.03
    ratio: float = 1.5


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds until the last line, occupancy and abandonment, each a mean with half of its 95 % range."""

    finished_s: Interval
    occupancy: Interval
    share: Interval
    rests_on_lines: int


def forecast(history: History, launch: Launch, seed: int = 1) -> Forecast:
    """Simulate the launch a few times; the same question always has the same answer."""
    draw = random.Random(seed)  # noqa: S311 - chance in a simulation, no secret
    operators = min(launch.operators, MOST_OPERATORS)
    scale = operators / launch.operators
    finished: list[float] = []
    occupancies: list[float] = []
    shares: list[float] = []
    for _ in range(RUNS):
        # A prior of ten lines keeps a short history from being taken at its word.
        rate = draw.betavariate(
            0.5 + (history.lines + 10) * history.answer_rate, 0.5 + (history.lines + 10) * (1 - history.answer_rate)
        )
        scenario = Scenario(
            name="forecast",
            hours=(WARMUP_S + SIMULATED_S) / 3600.0,
            operators=(OperatorPlan(count=operators),),
            campaigns=(
                CampaignPlan(
                    mode=launch.mode,
                    ratio=launch.ratio,
                    answer=level(min(0.98, max(0.005, rate))),
                    ring=Spread(history.ring_s, 0.4),
                    others=(OtherEnd(ring=Spread(history.other_s, 0.2)),),
                    talk=Spread(history.talk_s, max(0.05, history.talk_cv)),
                    wrapup=Spread(history.wrapup_s, 0.5),
                ),
            ),
            caps=(CapPlan(rate=launch.cap),),
            warmup_s=WARMUP_S,
        )
        day = simulate(scenario, Pacer(), random.Random(draw.random()))  # noqa: S311
        tally = day.tallies["a"]
        pace = max(tally.dialed, 1) / SIMULATED_S / scale
        finished.append(launch.lines / pace)
        occupancies.append(day.occupancy)
        shares.append(tally.share)
    return Forecast(_range(finished), interval(occupancies), interval(shares), history.lines)


def _range(values: list[float]) -> Interval:
    """Return the mean with the range of a single launch, wider than that of the mean."""
    mean = interval(values)
    return Interval(mean.mean, mean.half * sqrt(len(values)))


def plan_lines(leads: int, history: History, most_attempts: int) -> int:
    """Return the lines that so many leads take when each is tried until somebody answers, *most_attempts* at most."""
    missed = 1.0 - history.answer_rate
    each = sum([missed**attempt for attempt in range(most_attempts)])
    return ceil(leads * each)


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the forecast for a decoded question: *history*, *launch* without lines, *leads* and *most_attempts*."""
    history = History(**question["history"])
    lines = plan_lines(question["leads"], history, question["most_attempts"])
    return {"lines": lines, **asdict(forecast(history, Launch(lines=lines, **question["launch"])))}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(json.loads(sys.stdin.read()))))
