"""Unicom Intelligence's Predict1PI: lines for those waiting, times what failed lately, steered by a PI controller.

The manual gives the formula, the 900 s of attempts, the target of 2.8 % and the day's ceiling of 3 %; the gains of the
controller are not published and were taken by hindsight.
"""

from services.dialer.domain.pacing import Decision, Floor
from services.simulator.baselines.seen import Ledger, look, place

LATELY_S = 900.0
LOOK_S = 0.5


def predict_lines(waiting: int, adjust: float, failed: int, answered: int) -> float:
    """Return waiting + waiting × adjust × failed ÷ answered: the lines that should be in the air."""
    return waiting + waiting * adjust * failed / answered if answered else float(waiting)


class Predict1PI:
    """Holds silent calls at the target by moving one factor."""

    def __init__(
        self, target: float = 0.028, ceiling: float = 0.03, proportional: float = 20.0, integral: float = 0.02
    ) -> None:
        """*proportional* and *integral* are in factor per share, and per share and second."""
        self.adjust = 1.5
        self._base = 1.5
        self._target = target
        self._ceiling = ceiling
        self._gains = (proportional, integral)
        self._day = Ledger(LATELY_S)
        self._seen_at: float | None = None

    def decide(self, floor: Floor) -> Decision:
        """Look every half second and on every event, as the manual says."""
        self._day.note(floor.now, floor.events)
        span = 0.0 if self._seen_at is None else floor.now - self._seen_at
        self._seen_at = floor.now
        answered, failed, _ = self._day.lately()
        if self._day.answered >= 50:
            proportional, integral = self._gains
            short = self._target - self._day.share
            self._base = min(3.0, max(0.0, self._base + integral * short * span))
            self.adjust = min(3.0, max(0.0, self._base + proportional * short))
        if self._day.answered >= 50 and self._day.share >= self._ceiling:
            self.adjust = 0.0
        seen = look(floor)
        lines = predict_lines(seen.ready, self.adjust, failed, answered)
        return place(floor, lines - seen.ringing - seen.waiting, LOOK_S)
