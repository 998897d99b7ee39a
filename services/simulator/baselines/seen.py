"""What every baseline reads from a snapshot: who is free, who is on a call, what happened lately."""

from collections import deque
from dataclasses import dataclass

from services.dialer.domain.pacing import Decision, Event, EventKind, Floor, OperatorState


@dataclass(frozen=True, slots=True)
class Seen:
    """One campaign's floor in counts."""

    ready: int
    talking: int
    ringing: int
    waiting: int
    staffed: int


def look(floor: Floor) -> Seen:
    """Count the snapshot's first campaign and its operators."""
    campaign = floor.campaigns[0]
    states = [operator.state for operator in floor.operators]
    return Seen(
        ready=states.count(OperatorState.READY),
        talking=states.count(OperatorState.TALKING),
        ringing=len(campaign.ringing),
        waiting=len(campaign.waiting),
        staffed=len(states) - states.count(OperatorState.PAUSED),
    )


def place(floor: Floor, lines: float, again_s: float) -> Decision:
    """Place so many lines for the snapshot's first campaign, within its leads and its own limit."""
    campaign = floor.campaigns[0]
    room = max(0, min(campaign.max_lines - len(campaign.ringing), campaign.leads_left))
    return Decision({campaign.id: min(room, max(0, int(lines)))}, next_decision_in_s=again_s)


class Ledger:
    """Answered and abandoned since the beginning, and the ends of lines of the last while."""

    def __init__(self, lately_s: float) -> None:
        """Remember single lines for *lately_s*."""
        self.answered = 0
        self.abandoned = 0
        self._lately_s = lately_s
        self._ends: deque[tuple[float, bool]] = deque()
        self._abandoned: deque[float] = deque()

    def note(self, now: float, events: tuple[Event, ...]) -> None:
        """Take in what happened."""
        for event in events:
            if event.kind is EventKind.ANSWERED:
                self.answered += 1
                self._ends.append((event.at, True))
            elif event.kind is EventKind.ABANDONED:
                self.abandoned += 1
                self._abandoned.append(event.at)
            elif event.kind not in (EventKind.CONNECTED, EventKind.HANDLED):
                self._ends.append((event.at, False))
        while self._ends and self._ends[0][0] < now - self._lately_s:
            self._ends.popleft()
        while self._abandoned and self._abandoned[0] < now - self._lately_s:
            self._abandoned.popleft()

    @property
    def share(self) -> float:
        """Abandoned ÷ answered since the beginning."""
        return self.abandoned / self.answered if self.answered else 0.0

    def lately(self) -> tuple[int, int, int]:
        """Return the lines answered, the lines not answered, and the people abandoned of the last while."""
        answered = sum([answered for _, answered in self._ends])
        return answered, len(self._ends) - answered, len(self._abandoned)
