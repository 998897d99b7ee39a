"""What the floor will look like when a line placed now is answered: the chances behind a decision."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from services.dialer.domain.pacing.curves import RING_STEPS, DurationCurve, RingCurve
from services.dialer.domain.pacing.floor import Campaign, Cap, Floor, Mode
from services.dialer.domain.pacing.roster import Crew, Roster
from services.dialer.domain.pacing.spare import NEGLIGIBLE, Spare

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

    def answering(self, campaign: Campaign, horizon_s: float) -> list[float]:
        """Return the chances of the ringing lines to be answered by the horizon, negligible ones left out.

        Modes that promise an operator to each line hold one for it until it ends.
        """
        if campaign.mode is Mode.AGENTLESS:
            return []
        if not reserves_little(campaign):
            return [1.0] * len(campaign.ringing)
        table = self.rings[campaign.id].chances(horizon_s)
        return [chance for age in self._ages[campaign.id] if (chance := table[age]) > NEGLIGIBLE]

    def spares(self, horizon_s: float, answering: Mapping[str, Sequence[float]]) -> list[Spare]:
        """Return the distribution of spare operators of each union at the horizon."""
        free_s = horizon_s + self.wait_s
        spares: list[Spare] = []
        for union, crew in zip(self.roster.unions, self.roster.crews, strict=True):
            finishing = self._finishing(crew, free_s)
            certain = crew.idle
            coming: list[float] = []
            doubt = self.talk.doubt() * sum(finishing) ** 2
            for campaign in self.floor.campaigns:
                mask = self.roster.mask_of[campaign.id]
                if mask and not mask & ~union and campaign.mode is not Mode.AGENTLESS:
                    certain -= len(campaign.waiting)
                    coming += answering[campaign.id]
                    doubt += self.doubts[campaign.id] * sum(answering[campaign.id]) ** 2
            spares.append(Spare(certain, finishing, coming, doubt))
        return spares

    def _finishing(self, crew: Crew, horizon_s: float) -> list[float]:
        """Return the chances of busy operators to be ready by the horizon."""
        unsignalled_s = self.signals.unsignalled_s(horizon_s)
        chances = [KEPT for _, ready_in_s in crew.promised if ready_in_s <= horizon_s]
        if crew.talking:
            chances += self.talk.chances(crew.talking, self._talk_horizon_s(unsignalled_s))
        if crew.wrapping:
            chances += self.wrapup.chances(crew.wrapping, unsignalled_s)
        return chances

    def _talk_horizon_s(self, horizon_s: float) -> float:
        """Return the part of a horizon in which a conversation must end to leave time for its wrap-up."""
        steps = 6
        fits = sum([1.0 - exp(-self.wrapup.hazard_until((step + 0.5) / steps * horizon_s)) for step in range(steps)])
        return round(16.0 * horizon_s * fits / steps) / 16.0


def _ages(since: Sequence[float], now: float) -> list[int]:
    """Return ages as indices into the tables of chances."""
    if not since:
        return []
    if now - min(since) < RING_STEPS and max(since) <= now:
        return [int(now - instant) for instant in since]
    return [min(RING_STEPS, max(0, int(now - instant))) for instant in since]


def reserves_little(campaign: Campaign) -> bool:
    """Tell whether a line of this campaign only takes an operator when it is answered."""
    return campaign.mode is Mode.PREDICTIVE or campaign.mode is Mode.RATIO
