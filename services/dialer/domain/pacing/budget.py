"""The cap as a budget: how many abandonments a window still allows, and how fast to spend them.

Answers earn abandonments (at 3 %, one for every 33) and abandonments spend them. The more is in hand, the riskier a
line may be; with next to nothing in hand only lines that are nearly certain to be served are placed, which earns and
hardly spends; when the window is overspent, only one line per idle operator. Nothing leans on luck at a window's end.
"""

from collections import deque
from collections.abc import Mapping
from itertools import islice
from math import exp, floor, sqrt
from typing import Any

from services.dialer.domain.pacing.floor import Cap, Event, EventKind, WindowKind

# With so many abandonments in hand, the limit is the cap's own rate: one to begin with, and more with the root of what
# the window has earned so far, because chance moves what is in hand by that much.
EASE = 0.8
EASE_PER_ROOT = 0.6
MOST_EASE = 20.0
# Answers on their way may be abandoned in one burst, the more so the more lines are out: so much more for each.
EASE_PER_ANSWER = 0.25
# The limit grows by a factor of e with so many times that ease more in hand, at most by CALM powers of e.
CALM_PER_E = 1.0
CALM = 1.5
# Overspent by so many abandonments, a campaign dials strictly one line per idle operator.
OVERSPENT = -1.5
# With next to nothing in hand a line may still be placed that is nearly certain to be served: far better than one
# line per idle operator, and hardly ever paid for.
LEAST_LIMIT = 0.05
# A window's first abandonment may be spent before it is earned; this many answers later it has been earned back.
EARN_BACK_ANSWERS = 60.0
# A rolling window forgets in so many steps, each a little late for abandonments and a little early for answers.
ROLLING_STEPS = 96


class Budget:
    """One cap's window: what was answered and abandoned inside it, by the rule's own definition of abandoned."""

    __slots__ = ("abandoned", "answered", "cap", "ever", "opened_at", "steps")

    def __init__(self, cap: Cap, now: float, state: Mapping[str, Any] | None = None) -> None:
        self.cap = cap
        self.answered: float = state["answered"] if state else 0.0
        self.abandoned: float = state["abandoned"] if state else 0.0
        # Answers since the window opened: of a rolling one, since ever.
        self.ever: float = state["ever"] if state else 0.0
        self.opened_at: float = state["opened_at"] if state else self._opening(now)
        # (instant, answered, abandoned) per step of a rolling window; empty for the other kinds.
        self.steps: deque[list[float]] = deque(list(step) for step in state["steps"]) if state else deque()

    def to_state(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "answered": self.answered,
            "abandoned": self.abandoned,
            "ever": self.ever,
            "opened_at": self.opened_at,
            "steps": [list(step) for step in self.steps],
        }

    def _opening(self, now: float) -> float:
        window = self.cap.window
        if window.anchor is None or window.kind is WindowKind.ROLLING:
            return now
        return window.anchor + floor((now - window.anchor) / window.seconds) * window.seconds

    def is_blank(self) -> bool:
        """Tell whether the window would be the same if it were opened anew."""
        window = self.cap.window
        anchored = window.kind is not WindowKind.ROLLING and window.anchor is not None
        return anchored and self.answered == self.abandoned == self.ever == 0.0

    def advance(self, now: float) -> None:
        """Let go of what has left the window."""
        seconds = self.cap.window.seconds
        if self.cap.window.kind is WindowKind.ROLLING:
            while self.steps and self.steps[0][0] + seconds * (1.0 + 1.0 / ROLLING_STEPS) <= now:
                _, answered, abandoned = self.steps.popleft()
                self.answered -= answered
                self.abandoned -= abandoned
        elif now >= self.opened_at + seconds:
            self.opened_at += floor((now - self.opened_at) / seconds) * seconds
            self.answered = self.abandoned = self.ever = 0.0

    def learn(self, event: Event, at: float) -> None:
        """Count an event of one of the cap's campaigns by the rule's own definition of abandoned."""
        cap = self.cap
        if event.kind is EventKind.ANSWERED:
            self.count(at, 1.0, 0.0)
        elif event.kind is EventKind.ABANDONED or (event.kind is EventKind.CONNECTED and event.waited_s > cap.wait_s):
            self.count(at, 0.0, 1.0)
        elif event.kind is EventKind.MACHINE and cap.false_machine_share:
            self.count(at, cap.false_machine_share, cap.false_machine_share)

    def count(self, at: float, answered: float, abandoned: float) -> None:
        """Add to the window what happened at one instant."""
        if self.cap.window.kind is WindowKind.ROLLING:
            width = self.cap.window.seconds / ROLLING_STEPS
            if not self.steps or at >= self.steps[-1][0] + width:
                self.steps.append([at, 0.0, 0.0])
            self.steps[-1][1] += answered
            self.steps[-1][2] += abandoned
        self.answered += answered
        self.ever += answered
        self.abandoned += abandoned

    def in_hand(self) -> float:
        """Return how many abandonments the window still allows; negative when it was overspent."""
        rate = self.cap.rate
        hand = rate * self.answered - self.abandoned
        if self.cap.window.kind is WindowKind.ROLLING and len(self.steps) > ROLLING_STEPS * 3 // 4:
            # Good hours about to leave the window must not be spent: what remains without them counts, too.
            for _, answered, abandoned in islice(self.steps, ROLLING_STEPS // 4):
                hand = min(hand, hand - rate * answered + abandoned)
        return hand

    def limit(self, in_hand: float, waiting: int, answers_coming: float) -> float:
        """Return the highest chance of meeting nobody that a line may be placed with; zero when the budget is gone.

        Of what is in hand, *waiting* people and a few of the answers already on their way may be abandoned yet: the
        share the cap allows of them is set aside first, and more with 95 % confidence before the limit is let rise.
        """
        rate = self.cap.rate
        hand = in_hand + max(0.0, 1.0 - self.ever / EARN_BACK_ANSWERS)
        if rate <= 0.0 or hand <= OVERSPENT:
            return 0.0
        hand -= rate * answers_coming + 0.5 * waiting
        ease = (
            min(MOST_EASE, EASE + EASE_PER_ROOT * sqrt(rate * max(0.0, self.answered)))
            + EASE_PER_ANSWER * answers_coming
        )
        limit = rate * exp(min(CALM, (hand - ease) / (CALM_PER_E * ease)))
        return max(LEAST_LIMIT * rate, limit * min(1.0, max(0.0, hand)))
