"""ViciDial's adaptive methods, from bin/AST_VDadapt.pl and bin/AST_VDauto_dial.pl of SVN 3884.

One level of lines per operator, moved every 15 s in proportion to the operators left ready, halved or cut when the
day's drops pass the cap. Defaults: intensity 0, difference target 0, at most level 3.0. The clock of TAPERED is taken
as hours of the simulated day, closing time *closes_s*.
"""

from enum import StrEnum

from services.dialer.domain.pacing import Decision, Floor
from services.simulator.baselines.ratio import lines_at
from services.simulator.baselines.seen import Ledger, look, place

LOOP_S = 2.5
LEVEL_EVERY_S = 15.0


class Adapt(StrEnum):
    """The three adaptive dial methods."""

    AVERAGE = "average"
    HARD_LIMIT = "hard_limit"
    TAPERED = "tapered"


class ViciDial:
    """The adaptive level and the lines it asks for."""

    def __init__(
        self,
        method: Adapt,
        most_level: float = 3.0,
        dropped_percentage: float = 3.0,
        difference: float = 0.0,
        closes_s: float = 8 * 3600.0,
    ) -> None:
        """*most_level* is `adaptive_maximum_level`, which a supervisor finds by hand; *difference* the target."""
        self.level = 1.0
        self._method = method
        self._most = most_level
        self._cap = dropped_percentage / 100.0
        self._difference = difference
        self._closes_s = closes_s
        self._day = Ledger(60.0)
        self._began_at: float | None = None
        self._placed_at = self._moved_at = self._seen_at = float("-inf")
        self._area = [0.0, 0.0, 0.0]  # ready, waiting and operators, each times seconds
        self._last = (0, 0, 0)

    def decide(self, floor: Floor) -> Decision:
        """Place every 2.5 s, move the level every 15 s."""
        now = floor.now
        if self._began_at is None:
            self._began_at = self._moved_at = self._seen_at = now
        self._day.note(now, floor.events)
        self._measure(floor)
        if now - self._moved_at >= LEVEL_EVERY_S:
            self._move(now)
        if now - self._placed_at < LOOP_S:
            return place(floor, 0, self._placed_at + LOOP_S - now)
        self._placed_at = now
        return place(floor, lines_at(self.level, floor), LOOP_S)

    def _measure(self, floor: Floor) -> None:
        span = floor.now - self._seen_at
        for index, count in enumerate(self._last):
            self._area[index] += span * count
        seen = look(floor)
        self._last = (seen.ready, seen.waiting, seen.staffed)
        self._seen_at = floor.now

    def _move(self, now: float) -> None:
        span = now - self._moved_at
        ready, waiting, operators = [area / span for area in self._area]
        self._area = [0.0, 0.0, 0.0]
        self._moved_at = now
        excess = (ready - waiting + self._difference) / operators if operators else 0.0
        self.level = min(self._most, max(1.0, self.level * (1.0 + excess)))
        answered, _, dropped = self._day.lately()
        if answered > 20 and dropped > answered / 2:
            self.level /= 2.0
        if self._day.answered > 50 and self._day.share > self._cap:
            self.level = self._cut(now)
        self.level = max(1.0, self.level)

    def _cut(self, now: float) -> float:
        if self._method is Adapt.HARD_LIMIT:
            return 1.0
        if self._method is Adapt.AVERAGE:
            return self.level / 2.0
        assert self._began_at is not None
        hours_left = (self._closes_s - (now - self._began_at)) / 3600.0
        return self.level * min(1.0, hours_left / 10.0) if hours_left > 0.0 else 1.0


def uk_drop_percentage(drops: int, live: int, machines: int) -> float:
    """Return ViciDial's British figure: the drops that were machines, estimated from the live share, left out."""
    machine_share = machines / (machines + live)
    people = drops * (1.0 - machine_share)
    return 100.0 * people / (live + people)
