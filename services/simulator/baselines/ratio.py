"""One line per idle operator, and so many lines per operator: the constant rules."""

from math import ceil, floor

from services.dialer.domain.pacing import Decision, Floor
from services.simulator.baselines.seen import look, place


class Progressive:
    """One line per idle operator: nobody is ever abandoned."""

    def decide(self, floor: Floor) -> Decision:
        """Place a line for each idle operator that has none."""
        seen = look(floor)
        return place(floor, seen.ready - seen.waiting - seen.ringing, 5.0)


class FixedRatio:
    """ViciDial's RATIO form: *level* lines per operator at work, those on calls included; 2.5 s between looks.

    The level is found by hindsight: the highest tenth (or hundredth) that kept the cap over a whole day.
    """

    def __init__(self, level: float) -> None:
        """Take the constant level, 1.0 or more."""
        self.level = level
        self._looked_at = float("-inf")

    def decide(self, floor: Floor) -> Decision:
        """Place what the level asks for, every 2.5 s."""
        if floor.now - self._looked_at < 2.5:
            return place(floor, 0, self._looked_at + 2.5 - floor.now)
        self._looked_at = floor.now
        return place(floor, lines_at(self.level, floor), 2.5)


def lines_at(level: float, snapshot: Floor) -> int:
    """Return level × (ready + in call), rounded, less every live call."""
    seen = look(snapshot)
    return round(level * (seen.ready + seen.talking)) - seen.ringing - seen.waiting - seen.talking


def genesys_progressive(ready: int, queued: int, dialed: int, share_answering: float) -> int:
    """Return the new lines of Genesys' progressive rule: floor(m × (ready − queued − ceil(dialed ÷ m)))."""
    return floor(share_answering * (ready - queued - ceil(dialed / share_answering)))
