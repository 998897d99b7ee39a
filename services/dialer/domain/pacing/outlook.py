"""What the floor will look like when a line placed now is answered: the chances behind a decision."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from services.dialer.domain.pacing.curves import RING_STEPS, DurationCurve, RingCurve
from services.dialer.domain.pacing.floor import Campaign, Cap, Floor, Mode
from services.dialer.domain.pacing.roster import Crew, Roster
from services.dialer.domain.pacing.spare import NEGLIGIBLE, Coins, Spare

# By when half of a new line's answers have come: the instant at which spare operators are counted.
NEAR = 0.55
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
        talking, wrapping = self._steps(self.roster.everyone)
        self.talk.watch(talking)
        self.wrapup.watch(wrapping)

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
        return self.rings[campaign.id].chances(horizon_s)[0] if reserves_little(campaign) else 1.0

    def answering(self, campaign: Campaign, horizon_s: float) -> Coins:
        """Return the chances of the ringing lines to be answered by the horizon, negligible ones left out.

        Modes that promise an operator to each line hold one for it until it ends.
        """
        if campaign.mode is Mode.AGENTLESS:
            return ()
        if not reserves_little(campaign):
            return ((1.0, len(campaign.ringing)),)
        table = self.rings[campaign.id].chances(horizon_s)
        return [(chance, count) for age, count in self._ages[campaign.id] if (chance := table[age]) > NEGLIGIBLE]

    def spares(self, horizon_s: float, answering: Mapping[str, Coins]) -> list[Spare]:
        """Return the distribution of spare operators of each union at the horizon."""
        free_s = horizon_s + self.wait_s
        spares: list[Spare] = []
        for union, crew in zip(self.roster.unions, self.roster.crews, strict=True):
            finishing = self._finishing(crew, free_s)
            certain = crew.idle
            coming: list[tuple[float, int]] = []
            doubt = self.talk.doubt() * sum(finishing) ** 2
            for campaign in self.floor.campaigns:
                mask = self.roster.mask_of[campaign.id]
                if mask and not mask & ~union and campaign.mode is not Mode.AGENTLESS:
                    certain -= len(campaign.waiting)
                    coming += answering[campaign.id]
                    doubt += self.doubts[campaign.id] * expected(answering[campaign.id]) ** 2
            spares.append(Spare(certain, finishing, coming, doubt))
        return spares

    def _finishing(self, crew: Crew, horizon_s: float) -> list[float]:
        """Return the chances of busy operators to be ready by the horizon."""
        unsignalled_s = self.signals.unsignalled_s(horizon_s)
        chances = [KEPT for ready_in_s in crew.promised.values() if ready_in_s <= horizon_s]
        talking, wrapping = self._steps(crew)
        if talking:
            # A conversation must end early enough to leave time for its wrap-up.
            talk_s = round(16.0 * unsignalled_s * self.wrapup.part_ended(unsignalled_s)) / 16.0
            chances += self.talk.chances(talking, talk_s)
        if wrapping:
            chances += self.wrapup.chances(wrapping, unsignalled_s)
        return chances

    def _steps(self, crew: Crew) -> tuple[list[int], list[int]]:
        """Return how long those talking and wrapping up have done so, as indices into the tables of chances."""
        key = (self._tick, self.talk.mean_s, self.wrapup.mean_s)
        steps = crew.memo.get(key)
        if steps is None:
            crew.memo.clear()
            steps = self.talk.steps(crew.talking, self._tick), self.wrapup.steps(crew.wrapping, self._tick)
            crew.memo[key] = steps
        return steps


def expected(coins: Coins) -> float:
    """Return how many of the lines are answered on average."""
    return sum([chance * count for chance, count in coins])


def _ages(since: Sequence[float], now: float) -> list[tuple[int, int]]:
    """Return how many lines have each age, as indices into the tables of chances; a line of the future is new."""
    if not since:
        return []
    # Lines mostly come in the order they began, which sorting makes use of; then a search per second, not one per line.
    born = sorted(since)
    ages: list[tuple[int, int]] = []
    younger = len(born)
    for age in range(min(RING_STEPS, max(0, int(now - born[0]))) + 1):
        older = bisect_right(born, now - age - 1.0, 0, younger) if age < RING_STEPS else 0
        if older < younger:
            ages.append((age, younger - older))
            younger = older
    return ages


def reserves_little(campaign: Campaign) -> bool:
    """Tell whether a line of this campaign only takes an operator when it is answered."""
    return campaign.mode is Mode.PREDICTIVE or campaign.mode is Mode.RATIO
