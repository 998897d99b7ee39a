"""What the floor will look like when a line placed now is answered: the chances behind a decision."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import mul, sub
from typing import Any

from services.dialer.domain.pacing.curves import NEGLIGIBLE, RING_STEPS, DurationCurve, RingCurve, RingTable
from services.dialer.domain.pacing.floor import Campaign, Cap, Floor, Mode
from services.dialer.domain.pacing.roster import Busy, Crew, Roster
from services.dialer.domain.pacing.spare import EXACT_COINS, Spare

# By when half of a new line's answers have come: the instant at which spare operators are counted.
NEAR = 0.55
# By when the first have come: looked at as well where operators have said when they will be ready. Whoever is still to
# come free after an answer is no help to it, and of promises that is known to the second.
EARLY = 0.15
# By when nearly all have come: a burst of lines placed together must fit the floor as a whole, too.
FAR = 0.95
# A promise is kept so often; it is not taken at its word for longer than this past its instant.
KEPT = 0.95
_SIGNAL_MEMORY = 40.0
_MAX_PROMISES = 10_000


class Signals:
    """How far operators' "ready in" signals can be relied on: who uses them, and how long ahead."""

    __slots__ = ("lead_s", "open", "use")

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.use: float = state["use"] if state else 0.0
        self.lead_s: float = state["lead_s"] if state else 0.0
        self.open: dict[str, float] = dict(state["open"]) if state else {}

    def to_state(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"use": self.use, "lead_s": self.lead_s, "open": [list(row) for row in self.open.items()]}

    def promised(self, operator: str, ready_in_s: float) -> None:
        """Note a promise; only the first look at it tells how long ahead it was made."""
        if operator not in self.open and len(self.open) < _MAX_PROMISES:
            self.open[operator] = ready_in_s

    def finished(self, operator: str) -> None:
        """Note that an operator became free, with or without having said so."""
        lead_s = self.open.pop(operator, None)
        self.use += ((lead_s is not None) - self.use) / _SIGNAL_MEMORY
        if lead_s is not None:
            self.lead_s += (lead_s - self.lead_s) / (10.0 if self.lead_s else 1.0)

    def unsignalled_s(self, horizon_s: float) -> float:
        """Return the part of a horizon in which somebody who has not signalled may still become free."""
        return horizon_s - self.use * min(horizon_s, max(0.0, self.lead_s))


class Answering:
    """A campaign's ringing lines: what those answered by a horizon add up to."""

    __slots__ = ("counts", "mean", "table")

    def __init__(self, counts: Sequence[int], table: RingTable) -> None:
        """Take how many lines have each age, and the chances by age."""
        self.counts = counts
        self.table = table
        self.mean: float = sum(map(mul, counts, table.mean))

    def variance(self) -> float:
        """Return the sum of the lines' variances."""
        return sum(map(mul, self.counts, self.table.variance))

    def skew(self) -> float:
        """Return the sum of their third central moments."""
        return sum(map(mul, self.counts, self.table.skew))

    def coins(self) -> list[tuple[float, int]]:
        """Return the lines one by one: chances, and how many have each; negligible ones are left out."""
        pairs = zip(self.table.mean, self.counts, strict=False)
        return [(chance, count) for chance, count in pairs if count and chance > NEGLIGIBLE]


# Modes that promise an operator to each line hold one for it until it ends; agentless lines hold none.
_PROMISED = RingTable([1.0])
_NONE = RingTable([0.0])


class Outlook:
    """The chances of one snapshot; counts operators to spare at a near and a far horizon."""

    def __init__(
        self,
        floor: Floor,
        caps: Sequence[Cap],
        roster: Roster,
        rings: Mapping[str, RingCurve],
        talk: DurationCurve,
        wrapup: DurationCurve,
        signals: Signals,
    ) -> None:
        """Take what is known; chances are computed when they are asked for."""
        self.floor = floor
        self.roster = roster
        self.rings = rings
        self.talk = talk
        self.wrapup = wrapup
        self.signals = signals
        self.wait_s = min([cap.wait_s for cap in caps], default=2.0)
        self.doubts = {name: ring.rate.doubt() for name, ring in rings.items()}
        self._ages = {campaign.id: _ages(campaign.ringing, floor.now) for campaign in floor.campaigns}
        # Busy operators are looked at in quarters of a second: between two signals of a large pool nothing changes.
        self._tick = math.floor(4.0 * floor.now) / 4.0

    def watch(self) -> None:
        """Let the curves compare themselves with everybody who is busy now."""
        everyone = self.roster.everyone
        for busy, curve in ((everyone.talking, self.talk), (everyone.wrapping, self.wrapup)):
            busy.see(self._tick, curve.steps_per_s)
            curve.watch(busy.add_up(curve.hazards()))

    def horizon_s(self, quantile: float) -> float:
        """Return when this share of a new line's answers has come, each campaign weighed by its live lines."""
        total = weight = 0.0
        for campaign in self.floor.campaigns:
            lines = 1.0 + len(campaign.ringing)
            total += lines * self.rings[campaign.id].quantile_s(quantile)
            weight += lines
        # In quarters of a second, so that tables can be kept from one decision to the next.
        return round(4.0 * total / weight) / 4.0 if weight else 10.0

    def chance(self, campaign: Campaign, horizon_s: float) -> float:
        """Return the chance that a new line of this campaign is answered by the horizon."""
        return self.rings[campaign.id].chances(horizon_s).chance[0] if reserves_little(campaign) else 1.0

    def answering(self, campaign: Campaign, horizon_s: float) -> Answering:
        """Return what is to come of the ringing lines by the horizon."""
        if reserves_little(campaign):
            return Answering(self._ages[campaign.id], self.rings[campaign.id].chances(horizon_s))
        return Answering((len(campaign.ringing),), _NONE if campaign.mode is Mode.AGENTLESS else _PROMISED)

    def spares(self, horizon_s: float, answering: Mapping[str, Answering]) -> list[Spare]:
        """Return the distribution of spare operators of each union at the horizon."""
        free_s = horizon_s + self.wait_s
        spares: list[Spare] = []
        for confined, crew in zip(self.roster.confined, self.roster.crews, strict=True):
            certain = crew.idle
            coming: list[Answering] = []
            doubt = 0.0
            for index in confined:
                campaign = self.floor.campaigns[index]
                if campaign.mode is not Mode.AGENTLESS:
                    certain -= len(campaign.waiting)
                    lines = answering[campaign.id]
                    coming.append(lines)
                    doubt += self.doubts[campaign.id] * lines.mean * lines.mean
            spares.append(self._spare(certain, self._finishing(crew, free_s), coming, doubt))
        return spares

    def _spare(self, certain: int, finishing: "Finishing", coming: Sequence[Answering], doubt: float) -> Spare:
        """Return what is to spare; *doubt* is what the lines' estimates may be wrong by, as a variance.

        Doubt counts in large pools only: in small ones the coins' own noise is far larger.
        """
        if finishing.number <= EXACT_COINS:
            coins = [coin for lines in coming for coin in lines.coins()]
            if finishing.number + sum([count for _, count in coins]) <= EXACT_COINS:
                return Spare.exact(certain, finishing.chances(), coins)
        mean, squares = finishing.mean, finishing.squares
        # The sum of the cubes as it would be if all were alike: they are small, and it is the fastest to come by.
        cubes = squares * squares / mean if mean > 0.0 else 0.0
        variance = doubt + self.talk.doubt() * mean * mean + mean - squares
        skew = mean - 3.0 * squares + 2.0 * cubes
        spare = certain + mean
        for lines in coming:
            spare -= lines.mean
            variance += lines.variance()
            skew -= lines.skew()
        return Spare(spare, variance, skew)

    def _finishing(self, crew: Crew, horizon_s: float) -> "Finishing":
        """Return the busy operators as coins that say whether they are ready by the horizon."""
        unsignalled_s = self.signals.unsignalled_s(horizon_s)
        finishing = Finishing(sum([ready_in_s <= horizon_s for ready_in_s in crew.promised.values()]))
        if crew.talking.since:
            # A conversation must end early enough to leave time for its wrap-up.
            talk_s = round(16.0 * unsignalled_s * self.wrapup.part_ended(unsignalled_s)) / 16.0
            crew.talking.see(self._tick, self.talk.steps_per_s)
            finishing.add(crew.talking, *self.talk.chances(talk_s))
        if crew.wrapping.since:
            crew.wrapping.see(self._tick, self.wrapup.steps_per_s)
            finishing.add(crew.wrapping, *self.wrapup.chances(unsignalled_s))
        return finishing


class Finishing:
    """Busy operators who may be ready by a horizon: how many, and what their chances and the squares add up to."""

    __slots__ = ("_parts", "kept", "mean", "number", "squares")

    def __init__(self, kept: int) -> None:
        """Begin with those who promised to be ready in time."""
        self.kept = kept
        self.number = kept
        self.mean = kept * KEPT
        self.squares = kept * KEPT * KEPT
        self._parts: list[tuple[Sequence[int], list[float]]] = []

    def add(self, busy: Busy, chances: list[float], parts: list[int], squares: list[int]) -> None:
        """Take in more of them, and the tables of chances by how long they have been busy."""
        self._parts.append((busy.steps, chances))
        self.number += len(busy.steps)
        self.mean += busy.add_up(parts)
        self.squares += busy.add_up(squares)

    def chances(self) -> list[float]:
        """Return the chances one by one."""
        return [KEPT] * self.kept + [table[step] for steps, table in self._parts for step in steps]


def _ages(since: Sequence[float], now: float) -> list[int]:
    """Return how many lines have each age in whole seconds; a line of the future is new."""
    # Lines mostly come in the order they began, which sorting makes use of; then a search per second, not one per line.
    born = sorted(since)
    oldest = min(RING_STEPS, max(0, int(now - born[0]))) if born else 0
    older = [bisect_right(born, now - age) for age in range(1, oldest + 1)]
    return list(map(sub, [len(born), *older], [*older, 0]))


def reserves_little(campaign: Campaign) -> bool:
    """Tell whether a line of this campaign only takes an operator when it is answered."""
    return campaign.mode is Mode.PREDICTIVE or campaign.mode is Mode.RATIO
