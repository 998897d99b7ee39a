"""Perfect knowledge ("best"): a line is placed while the chance that another answer meets nobody is at most *tau*.

The rule is told the answer rate, the ring times and the mean handling time, and takes handling as memoryless. *tau*
moves slowly, so that over a long run the mean abandonment is the cap. Myopic: a strong heuristic, no proven optimum.
"""

from math import exp, gamma

from services.dialer.domain.pacing import Decision, EventKind, Floor, OperatorState
from services.dialer.domain.pacing.spare import Spare
from services.simulator.baselines.seen import place
from services.simulator.scenario import CampaignPlan

STEP_S = 0.25
LONGEST_S = 60.0
GAIN = 0.01


class Best:
    """Knows the campaign's plan, as nobody does."""

    def __init__(self, plan: CampaignPlan, cap: float = 0.03, wait_s: float = 2.0, tau: float | None = None) -> None:
        """*tau* begins at the cap unless given, and then moves by what the answers earn and abandonments cost."""
        self.tau = tau or cap
        self._cap = cap
        self._plan = plan
        self._wait_s = wait_s
        self._handling_s = plan.talk.mean + plan.wrapup.mean
        self._others_s = plan.others[0].ring.mean
        self._answered_by = gamma_shares(plan.ring.mean, plan.ring.cv)

    def decide(self, floor: Floor) -> Decision:
        """Add lines until one more would be too risky."""
        for event in floor.events:
            if event.kind is EventKind.ANSWERED:
                self.tau *= exp(GAIN * self._cap)
            elif event.kind is EventKind.ABANDONED:
                self.tau *= exp(-GAIN)
        campaign = floor.campaigns[0]
        horizon_s = self._plan.ring.mean
        finishes = 1.0 - exp(-(horizon_s + self._wait_s) / self._handling_s)
        ready = busy = 0
        for operator in floor.operators:
            ready += operator.state is OperatorState.READY
            busy += operator.state in (OperatorState.TALKING, OperatorState.WRAPUP)
        answering = [
            (chance, 1) for since in campaign.ringing if (chance := self._chance(floor.now - since, horizon_s)) > 1e-3
        ]
        spare = Spare.of(ready - len(campaign.waiting), [finishes] * busy, answering)
        new = self._chance(0.0, horizon_s)
        lines = 0
        while lines < 40 * len(floor.operators) and spare.chance_none() <= self.tau:
            spare.add_lines(1, new)
            lines += 1
        return place(floor, lines, 0.5)

    def _chance(self, age_s: float, horizon_s: float) -> float:
        rate = self._plan.answer.points[0][1]
        answered = self._share(age_s)
        alive = rate * (1.0 - answered) + (1.0 - rate) * (age_s < self._others_s)
        return rate * (self._share(age_s + horizon_s) - answered) / alive if alive > 1e-9 else 0.0

    def _share(self, second: float) -> float:
        return self._answered_by[min(len(self._answered_by) - 1, max(0, int(second / STEP_S)))]


def gamma_shares(mean_s: float, cv: float) -> list[float]:
    """Return, every quarter of a second, the share of gamma distributed durations that have ended by then."""
    shape = 1.0 / (cv * cv)
    scale = mean_s / shape
    shares = [0.0]
    for step in range(int(LONGEST_S / STEP_S)):
        x = (step + 0.5) * STEP_S / scale
        shares.append(shares[-1] + x ** (shape - 1.0) * exp(-x) / gamma(shape) * STEP_S / scale)
    return [min(1.0, share / shares[-1]) for share in shares]
