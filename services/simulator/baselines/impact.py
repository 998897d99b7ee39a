"""ImpactDialing's replay, from app/models/predictive.rb and simulated_values.rb.

Every minute the last hundred attempts are replayed through four minutes in steps of a second for six ratios; the best
utilisation whose simulated abandonment stays under the target wins. Dials: ratio × on hold − ringing − waiting; three
quarters of it while the day is over target; one line each below five callers on a call or fifty attempts.
"""

from collections import deque

from services.dialer.domain.pacing import Decision, EventKind, Floor
from services.simulator.baselines.seen import Ledger, look, place

REPLAY_S = 240
ATTEMPTS = 100
CANDIDATES = 6
EVERY_S = 60.0
FEWEST_CALLERS = 5
FEWEST_ATTEMPTS = 50


class Impact:
    """Overdial only: lines for those on hold, never for those about to finish."""

    def __init__(self, target: float = 0.03) -> None:
        """Take the target of abandonment."""
        self.ratio = 1.0
        self._target = target
        self._day = Ledger(1800.0)
        self._attempts: deque[tuple[bool, float]] = deque(maxlen=ATTEMPTS)
        self._talks: deque[float] = deque(maxlen=ATTEMPTS)
        self._replayed_at = float("-inf")

    def decide(self, floor: Floor) -> Decision:
        """Place what the ratio asks for; look again within two seconds."""
        self._day.note(floor.now, floor.events)
        for event in floor.events:
            if event.kind is EventKind.HANDLED:
                self._talks.append(event.talk_s + event.wrapup_s)
            elif event.kind not in (EventKind.CONNECTED, EventKind.ABANDONED):
                self._attempts.append((event.kind is EventKind.ANSWERED, event.ring_s))
        seen = look(floor)
        if seen.talking < FEWEST_CALLERS or len(self._attempts) < FEWEST_ATTEMPTS or not self._talks:
            ratio = 1.0
        else:
            if floor.now - self._replayed_at >= EVERY_S:
                self._replayed_at = floor.now
                self.ratio = best_ratio(list(self._attempts), list(self._talks), seen.staffed, self._target)
            ratio = self.ratio * (0.75 if self._day.share > self._target else 1.0)
        return place(floor, ratio * seen.ready - seen.ringing - seen.waiting, 2.0)


def best_ratio(attempts: list[tuple[bool, float]], talks: list[float], callers: int, target: float) -> float:
    """Return the ratio that replays best under the target; one line each when none does."""
    answers = sum([answered for answered, _ in attempts])
    if not answers:
        return 1.0
    longest = len(attempts) / answers
    best, best_use = 1.0, -1.0
    for step in range(1, CANDIDATES + 1):
        ratio = longest * step / CANDIDATES
        use, share = replay(attempts, talks, callers, ratio)
        if share < target and use > best_use:
            best, best_use = ratio, use
    return best


def replay(attempts: list[tuple[bool, float]], talks: list[float], callers: int, ratio: float) -> tuple[float, float]:
    """Replay attempts and talks in their order; return the callers' utilisation and the share abandoned."""
    free_at = [0.0] * callers
    ringing: list[tuple[float, bool]] = []
    attempt = talk = busy = answered = abandoned = 0
    for second in range(REPLAY_S):
        ended = [line for line in ringing if line[0] <= second]
        ringing = [line for line in ringing if line[0] > second]
        idle = [index for index, at in enumerate(free_at) if at <= second]
        for _, human in ended:
            if human:
                answered += 1
                if idle:
                    free_at[idle.pop()] = second + talks[talk % len(talks)]
                    talk += 1
                else:
                    abandoned += 1
        for _ in range(int(ratio * len(idle)) - len(ringing)):
            human, ring_s = attempts[attempt % len(attempts)]
            ringing.append((second + max(1.0, ring_s), human))
            attempt += 1
        busy += callers - len(idle)
    return busy / (callers * REPLAY_S), abandoned / answered if answered else 0.0
