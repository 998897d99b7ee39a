"""What a campaign's lines and a pool's conversations are like, learned as they drift.

Three estimators, all plain numbers that live in a JSON document: how often lines are answered (`AnswerRate`), when
(`RingCurve`), and how long conversations last (`DurationCurve`). Each begins with a weak, cautious belief.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from math import exp, log
from typing import Any

RING_STEPS = 90  # seconds; no carrier rings longer, and a line that seems to has lost its last signal
# In answers, so that the rate of a poor list, with few answers among many lines, is as well known as a good one's.
_MEMORIES = (30.0, 110.0, 450.0)  # how many each estimate remembers
_SCORE_MEMORY = 150.0  # over how many the estimates compete
_LEAST_RATE = 0.02  # below it memories grow no longer: a list that answers nobody must still be unlearned
_PRIOR_LINES = 6.0
# A coin below this changes no decision; leaving it out keeps the exact sum small when many old lines still ring.
NEGLIGIBLE = 0.002
LAST_STEP = 144  # of tables by how long something has lasted: six of its means
# Tables that are added up hold whole numbers of this part of one: finer than anything is known, and summed exactly.
PARTS = float(2**28)
_PART_STEPS = 6
_PACE_STEPS = 24.0
_PRIOR_RATE = 0.5  # high on purpose: few lines are placed until the list has shown how poor it is


class AnswerRate:
    """Share of lines that a person answers: three memories compete, so that drift is followed and calm is used."""

    __slots__ = ("_found", "answered", "ended", "scores")

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._found: tuple[float, float] | None = None
        self.answered: list[float] = list(state["answered"]) if state else [_PRIOR_LINES * _PRIOR_RATE] * 3
        self.ended: list[float] = list(state["ended"]) if state else [_PRIOR_LINES] * 3
        self.scores: list[float] = list(state["scores"]) if state else [0.0] * 3

    def to_state(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"answered": self.answered, "ended": self.ended, "scores": self.scores}

    def learn(self, answered: bool) -> None:
        """Take in how one line ended."""
        self._found = None
        answers = self._answers_per_line()
        for index, memory in enumerate(_MEMORIES):
            rate = self.answered[index] / self.ended[index]
            surprise = -log(max(1e-6, rate if answered else 1.0 - rate))
            self.scores[index] += (surprise - self.scores[index]) * answers / _SCORE_MEMORY
            keep = 1.0 - answers / memory
            self.answered[index] = self.answered[index] * keep + (1.0 if answered else 0.0)
            self.ended[index] = self.ended[index] * keep + 1.0

    def forget(self, keep: float) -> None:
        """Weaken what is old: keep this share of its weight and let the cautious belief fill the rest."""
        self._found = None
        for index in range(len(_MEMORIES)):
            weight = max(0.0, 1.0 - keep) * _PRIOR_LINES
            self.answered[index] = self.answered[index] * keep + weight * _PRIOR_RATE
            self.ended[index] = self.ended[index] * keep + weight

    def rate(self) -> float:
        """Return the answer rate: the estimates weighed by how well each predicted lately."""
        return (self._found or self._weigh())[0]

    def doubt(self) -> float:
        """Return the squared relative error that the rate may have, from how many lines it rests on."""
        return (self._found or self._weigh())[1]

    def _answers_per_line(self) -> float:
        """Return what one line counts in memories of answers, by the longest memory."""
        return max(_LEAST_RATE, self.answered[-1] / self.ended[-1])

    def _weigh(self) -> tuple[float, float]:
        best = min(self.scores)
        lines = _SCORE_MEMORY / self._answers_per_line()
        weights = [exp(-lines * (score - best)) for score in self.scores]
        total = rate = known = 0.0
        for weight, answered, ended in zip(weights, self.answered, self.ended, strict=True):
            total += weight
            rate += weight * answered / ended
            known += weight * ended
        rate = min(0.98, max(0.005, rate / total))
        self._found = rate, (1.0 - rate) / (rate * 2.0 * known / total)
        return self._found


class RingTable:
    """By age in seconds: the chance that a line still ringing is answered within a horizon, and its moments.

    *mean*, *variance* and *skew* are what such a line adds to a sum of lines; negligible chances add nothing.
    """

    __slots__ = ("chance", "mean", "skew", "variance")

    def __init__(self, chance: list[float]) -> None:
        """Take the chances from age 0; an older line has none, and sums end with the shorter list."""
        self.chance = chance
        self.mean = [one if one > NEGLIGIBLE else 0.0 for one in chance]
        self.variance = [one * (1.0 - one) for one in self.mean]
        self.skew = [one * (1.0 - one) * (1.0 - 2.0 * one) for one in self.mean]


class RingCurve:
    """When lines end, answered or not: two histograms of ring time that forget."""

    __slots__ = ("_cumulative", "_tables", "answers", "gain", "others", "rate")
    _MEMORY = 400.0  # lines of each kind

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.rate = AnswerRate(state["rate"] if state else None)
        # A line is answered between 2 and 18 s at first guess, and given up between 15 and 35 s.
        self.answers: list[float] = list(state["answers"]) if state else _evenly(2, 18)
        self.others: list[float] = list(state["others"]) if state else _evenly(15, 35)
        # New lines weigh more and more, instead of all old ones less and less: the same forgetting for one addition.
        self.gain: list[float] = list(state["gain"]) if state else [1.0, 1.0]
        self._tables: dict[float, RingTable] = {}
        self._cumulative: tuple[list[float], list[float]] | None = None

    def to_state(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "rate": self.rate.to_state(),
            "answers": self.answers,
            "others": self.others,
            "gain": self.gain,
        }

    def learn(self, answered: bool, ring_s: float) -> None:
        """Take in how one line ended and after how long."""
        self.rate.learn(answered)
        histogram = self.answers if answered else self.others
        kind = 0 if answered else 1
        self.gain[kind] *= 1.0 + 1.0 / self._MEMORY
        histogram[min(RING_STEPS - 1, max(0, int(ring_s)))] += self.gain[kind]
        if self.gain[kind] > 1e9:
            for step in range(RING_STEPS):
                histogram[step] /= self.gain[kind]
            self.gain[kind] = 1.0
        self._tables.clear()
        self._cumulative = None

    def forget(self, keep: float) -> None:
        """Weaken what is old."""
        self.rate.forget(keep)
        self._tables.clear()

    def quantile_s(self, share: float) -> float:
        """Return within how many seconds this share of the answers comes."""
        answered, _ = self._sums()
        step = min(RING_STEPS, max(1, bisect_left(answered, share)))
        low, high = answered[step - 1], answered[step]
        return step - 1 + (share - low) / max(1e-9, high - low)

    def answered_within(self, ring_s: float) -> float:
        """Return the share of answers that come within so many seconds."""
        answered, _ = self._sums()
        return answered[min(RING_STEPS, max(0, round(ring_s)))]

    def chances(self, horizon_s: float) -> RingTable:
        """Return the chances of lines still ringing to be answered within the horizon."""
        table = self._tables.get(horizon_s)
        if table is not None:
            return table
        rate = self.rate.rate()
        others = 1.0 - rate
        answered, ended = self._sums()
        ahead, part = divmod(horizon_s, 1.0)
        far = [*answered[min(RING_STEPS, int(ahead)) :], *[1.0] * (int(ahead) + 2)]
        chances: list[float] = []
        for step in range(bisect_left(answered, 1.0 - 1e-9)):
            done = answered[step]
            soon = far[step] + (far[step + 1] - far[step]) * part - done
            alive = rate * (1.0 - done) + others * (1.0 - ended[step])
            chance = rate * soon / alive if alive > 1e-4 and soon > 0.0 else 0.0
            chances.append(chance if chance < 1.0 else 1.0)
        # A line older than every answer ever seen has no chance of its own.
        if len(self._tables) > 8:
            self._tables.clear()
        table = self._tables[horizon_s] = RingTable(chances)
        return table

    def _sums(self) -> tuple[list[float], list[float]]:
        if self._cumulative is None:
            self._cumulative = (_cumulative(self.answers), _cumulative(self.others))
        return self._cumulative


def _places(edges: Sequence[float], grid: int) -> list[tuple[int, float]]:
    places: list[tuple[int, float]] = []
    for step in range(LAST_STEP + 1):
        at = step / grid
        index = min(len(edges) - 2, max(0, bisect_left(edges, at) - 1))
        places.append((index, at - edges[index]))
    return places


class DurationCurve:
    """How long something lasts, given how long it has lasted: a life table on the scale of its own mean.

    The table is relative, so that it stays valid while the mean drifts; `pace` scales the hazard by what was observed
    against what the table expected of everybody, those still busy included, so that long ones are not overlooked.
    """

    __slots__ = (
        "_chances",
        "_hazard_parts",
        "_hazards",
        "_parts",
        "counts",
        "expected",
        "mean_s",
        "observed",
        "open_before",
        "pending",
        "weight",
    )
    _MEMORY = 150.0
    _PACE_MEMORY = 100.0
    _BATCH_SHARE = 0.04
    _MAX_BATCH = 6
    _GRID = 24  # steps per mean
    _TABLE_MEMORY = 600.0
    _PRIOR_WEIGHT = 2.0
    _TRUST = 10.0
    EDGES: Sequence[float] = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.15, 1.45, 1.8, 2.2, 2.8, 3.6, 5.0)

    _WIDTHS: Sequence[float] = tuple(high - low for low, high in pairwise(EDGES))
    # Of each step of a table, the bin between two edges that it lies in, and how far past the lower one.
    _PLACES: Sequence[tuple[int, float]] = _places(EDGES, _GRID)

    def __init__(self, prior_mean_s: float, state: Mapping[str, Any] | None = None) -> None:
        bins = len(self.EDGES)
        prior = [exp(-low) - exp(-high) for low, high in zip(self.EDGES, (*self.EDGES[1:], 50.0), strict=True)]
        self.counts: list[float] = list(state["counts"]) if state else [8.0 * part for part in prior]
        assert len(self.counts) == bins
        self.mean_s: float = state["mean_s"] if state else prior_mean_s
        self.weight: float = state["weight"] if state else self._PRIOR_WEIGHT
        self.observed: float = state["observed"] if state else 0.0
        self.expected: float = state["expected"] if state else 0.0
        self.open_before: float = state["open_before"] if state else 0.0
        self.pending: list[float] = list(state["pending"]) if state else []
        self._hazards: list[float] | None = None
        self._hazard_parts: list[int] = []
        self._chances: dict[tuple[float, int], tuple[list[float], list[int], list[int]]] = {}
        self._parts: dict[float, float] = {}

    def to_state(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "counts": self.counts,
            "mean_s": self.mean_s,
            "weight": self.weight,
            "observed": self.observed,
            "expected": self.expected,
            "open_before": self.open_before,
            "pending": list(self.pending),
        }

    def learn(self, duration_s: float) -> None:
        """Take in one that has ended; the table is made again after a few, so that most decisions find it ready."""
        self.observed += 1.0
        self.expected += self.hazard_until(duration_s)
        self.pending.append(duration_s)
        if len(self.pending) > min(self._MAX_BATCH, self.weight * self._BATCH_SHARE):
            for ended_s in self.pending:
                self._learn(ended_s)
            self.pending.clear()
            self._hazards = None
            self._chances.clear()
            self._parts.clear()

    def _learn(self, duration_s: float) -> None:
        self.weight = min(self._MEMORY, self.weight + 1.0)
        self.mean_s = max(0.1, self.mean_s + (duration_s - self.mean_s) / self.weight)
        keep = 1.0 - 1.0 / self._TABLE_MEMORY
        self.counts = [count * keep for count in self.counts]
        self.counts[max(0, bisect_left(self.EDGES, duration_s / self.mean_s) - 1)] += 1.0

    def watch(self, open_hazard: float) -> None:
        """Compare with everybody still busy, by what `hazards` says of how long they have been so far."""
        self.expected = max(0.0, self.expected + open_hazard - self.open_before)
        self.open_before = open_hazard
        if self.observed > self._PACE_MEMORY:
            keep = self._PACE_MEMORY / self.observed
            self.observed *= keep
            self.expected *= keep

    def pace(self) -> float:
        """Return how fast things end compared with the table: 0.5 when they last about twice as long."""
        return min(4.0, max(0.2, (self.observed + self._TRUST) / (self.expected + self._TRUST)))

    def doubt(self) -> float:
        """Return the squared relative error that the pace may have."""
        return 1.0 / (self.observed + self._TRUST)

    def hazards(self) -> list[int]:
        """Return the cumulative hazard by step of the time elapsed, in `PARTS`."""
        if not self._hazards:
            self._table()
        return self._hazard_parts

    @property
    def steps_per_s(self) -> float:
        """How many steps of the tables make a second."""
        return self._GRID / self.mean_s

    def hazard_until(self, elapsed_s: float) -> float:
        """Return the cumulative hazard at an age; the chance to outlive it is exp of minus that."""
        hazards = self._hazards or self._table()
        return hazards[min(LAST_STEP, int(elapsed_s * self._GRID / self.mean_s))]

    def chances(self, horizon_s: float) -> tuple[list[float], list[int], list[int]]:
        """Return the chance to end within the horizon by the step of the time elapsed; it and its square in `PARTS`."""
        # The pace moves a little at every look; in steps far finer than it is known, a table lives for many of them.
        key = (horizon_s, round(self.pace() * _PACE_STEPS))
        return self._chances.get(key) or self._chance_table(*key)

    def part_ended(self, horizon_s: float) -> float:
        """Return the share of a horizon that those who begin at an even pace within it have left when they end."""
        part = self._parts.get(horizon_s)
        if part is None:
            spans = [(step + 0.5) / _PART_STEPS * horizon_s for step in range(_PART_STEPS)]
            part = sum([1.0 - exp(-self.hazard_until(span)) for span in spans]) / _PART_STEPS
            if len(self._parts) > 8:
                self._parts.clear()
            self._parts[horizon_s] = part
        return part

    def _chance_table(self, horizon_s: float, pace_step: int) -> tuple[list[float], list[int], list[int]]:
        hazards = self._hazards or self._table()
        tail = (hazards[LAST_STEP] - hazards[LAST_STEP // 2]) / (LAST_STEP - LAST_STEP // 2)
        ahead, part = divmod(min(horizon_s / self.mean_s, 6.0) * self._GRID, 1.0)
        far = [*hazards[int(ahead) :]]
        far.extend([far[-1] + tail * step for step in range(1, int(ahead) + 2)])
        pace = pace_step / _PACE_STEPS
        chances = [
            1.0 - exp(-pace * (near + (next_one - near) * part - now))
            for near, next_one, now in zip(far, far[1:], hazards, strict=False)
        ]
        if len(self._chances) > 8:
            self._chances.clear()
        squares = [chance * chance for chance in chances]
        tables = self._chances[horizon_s, pace_step] = chances, _parts(chances), _parts(squares)
        return tables

    def _table(self) -> list[float]:
        """Build the cumulative hazards on a grid of steps, up to six means."""
        edges = self.EDGES
        alive = sum(self.counts) + 0.5  # half of one that never ends: nothing is ever certain to
        at_edge = [0.0]
        for index in range(len(edges) - 1):
            at_edge.append(at_edge[-1] - log(1.0 - min(0.95, self.counts[index] / alive)))
            alive = max(0.5, alive - self.counts[index])
        slopes = [(high - low) / width for low, high, width in zip(at_edge, at_edge[1:], self._WIDTHS, strict=False)]
        table = [at_edge[bin_] + slopes[bin_] * past for bin_, past in self._PLACES]
        self._hazards, self._hazard_parts = table, _parts(table)
        return table


def _parts(table: Sequence[float]) -> list[int]:
    return [int(PARTS * value) for value in table]


def _cumulative(histogram: Sequence[float]) -> list[float]:
    total = sum(histogram)
    return [0.0, *[value / total for value in accumulate(histogram)]]


def _evenly(first_s: int, last_s: int) -> list[float]:
    weight = _PRIOR_LINES / (last_s - first_s)
    return [weight if first_s <= step < last_s else 0.0 for step in range(RING_STEPS)]
