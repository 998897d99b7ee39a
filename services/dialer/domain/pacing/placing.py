"""Handing out lines: one at a time, to the campaign furthest behind its weight, as long as each is allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.dialer.domain.pacing.budget import Budget
from services.dialer.domain.pacing.floor import Campaign, Cap, Decision, Floor, Mode
from services.dialer.domain.pacing.outlook import FAR, NEAR, Outlook, expected, reserves_little
from services.dialer.domain.pacing.spare import Coins, Spare

IDLE_DECISION_S = 5.0
BUSY_DECISION_S = 0.5
# A pool never has more lines than this per operator at work, however poor a list seems: what was learned may be wrong.
MAX_LINES_PER_OPERATOR = 40
# The whole of a burst may be this much riskier than one line: later answers see operators finish.
FAR_RISK = 2.0


@dataclass(slots=True)
class Bid:
    """One campaign's claim on the pool while lines are handed out."""

    campaign: Campaign
    unions: Sequence[int]
    weight: float
    room: int
    budget: float = 0.0  # abandonments left in the tightest window
    limit: float = 0.0  # highest risk a line may have; zero in progressive dialing
    near: float = 1.0  # chance that a new line is answered by the near horizon
    far: float = 1.0
    doubt: float = 0.0
    answers: float = 0.0  # expected from its lines, those placed now included
    lines: int = 0
    risk: float = 0.0
    chances: Coins = ()


def place(floor: Floor, outlook: Outlook, budgets: Mapping[Cap, Budget]) -> Decision:
    """Say how many lines each campaign places now, and why."""
    near_s = outlook.horizon_s(NEAR)
    bids = [_bid(campaign, floor, outlook, budgets, near_s) for campaign in floor.campaigns]
    hand = _Hand(outlook, bids, near_s)
    live = sum([len(bid.campaign.ringing) for bid in bids if bid.campaign.mode is not Mode.AGENTLESS])
    hand.deal(outlook.roster.everyone.staffed * MAX_LINES_PER_OPERATOR - live)
    return Decision(
        {bid.campaign.id: bid.lines for bid in bids},
        {bid.campaign.id: _sentence(bid, hand) for bid in bids},
        {bid.campaign.id: _numbers(bid, hand) for bid in bids},
        BUSY_DECISION_S if floor.operators and any(bid.room for bid in bids) else IDLE_DECISION_S,
    )


class _Hand:
    """The floor while lines are handed out: what is held, and what is to spare at both horizons."""

    def __init__(self, outlook: Outlook, bids: Sequence[Bid], near_s: float) -> None:
        self.outlook = outlook
        self.bids = bids
        self.near_s = near_s
        self.idle = [crew.idle for crew in outlook.roster.crews]
        self.near = outlook.spares(near_s, {bid.campaign.id: bid.chances for bid in bids})
        self.expected = [spare.mean for spare in self.near]
        self._far: list[Spare] | None = None
        self.held = [0] * len(self.idle)
        for bid in bids:
            if bid.campaign.mode is not Mode.AGENTLESS:
                for index in bid.unions:
                    self.held[index] += len(bid.campaign.ringing) + len(bid.campaign.waiting)

    def far(self) -> list[Spare]:
        """Return the far horizon; most decisions place nothing and never need it."""
        if self._far is None:
            far_s = self.outlook.horizon_s(FAR)
            answering = {bid.campaign.id: self.outlook.answering(bid.campaign, far_s) for bid in self.bids}
            for bid in self.bids:
                bid.far = self.outlook.chance(bid.campaign, far_s)
            self._far = self.outlook.spares(far_s, answering)
        return self._far

    def deal(self, lines: int) -> None:
        """Place at most so many lines; agentless ones need no operator and are not counted."""
        open_bids: list[Bid] = []
        for bid in self.bids:
            if bid.campaign.mode is Mode.AGENTLESS:
                bid.lines = bid.room
            elif bid.room and bid.unions:
                open_bids.append(bid)
        while open_bids and lines > 0:
            # One at a time while campaigns take turns; the last may take all that it is allowed.
            alone = len(open_bids) == 1
            bid = open_bids[0] if alone else min(open_bids, key=lambda bid: bid.answers / bid.weight)
            allowed = self.allowed(bid, min(lines, bid.room - bid.lines) if alone else 1)
            self.add(bid, allowed)
            lines -= allowed
            if alone or not allowed or bid.lines == bid.room:
                open_bids.remove(bid)

    def allowed(self, bid: Bid, most: int) -> int:
        """Return how many more lines of this campaign may be placed, up to *most*."""
        if bid.limit <= 0.0 or bid.campaign.mode is Mode.RATIO:
            each = bid.campaign.ratio if bid.limit > 0.0 else 1.0
            return max(0, min(most, *[int(each * self.idle[index]) - self.held[index] for index in bid.unions]))
        # The risk grows with every line: feel ahead in growing steps, then halve the last one.
        if not self.allows(bid, 0):
            return 0
        low, high = 1, min(most, 2)
        while low < high and self.allows(bid, high - 1):
            low, high = high, min(most, 2 * high)
        high = max(low, high - 1)  # the last step was too long, unless there was none
        while low < high:
            middle = (low + high) // 2
            if self.allows(bid, middle):
                low = middle + 1
            else:
                high = middle
        return low

    def allows(self, bid: Bid, before: int) -> bool:
        """Tell whether another line may be placed after so many, by what both horizons risk."""
        risk = self.risk(bid, self.near, bid.near, before)
        bid.risk = risk if not before else bid.risk
        return risk <= bid.limit and self.risk(bid, self.far(), bid.far, before) <= FAR_RISK * bid.limit

    def risk(self, bid: Bid, spares: Sequence[Spare], chance: float, lines: int) -> float:
        """Return the chance that after so many more lines another answer meets nobody."""
        doubt = _more_doubt(bid, chance, lines)
        return max([spares[index].chance_none(lines, chance, doubt) for index in bid.unions])

    def add(self, bid: Bid, lines: int) -> None:
        """Take in more lines of this campaign."""
        if not lines:
            return
        bid.lines += lines
        for index in bid.unions:
            self.held[index] += lines
            self.near[index].add_lines(lines, bid.near, _more_doubt(bid, bid.near, lines))
            if self._far is not None:
                self._far[index].add_lines(lines, bid.far, _more_doubt(bid, bid.far, lines))
        bid.answers += lines * bid.near


def _more_doubt(bid: Bid, chance: float, lines: int) -> float:
    """Return what more lines add to the doubt of a sum, which grows with its square: d·((a + c)² − a²)."""
    more = lines * chance
    return bid.doubt * more * (2.0 * bid.answers + more)


def _bid(campaign: Campaign, floor: Floor, outlook: Outlook, budgets: Mapping[Cap, Budget], near_s: float) -> Bid:
    room = max(0, min(campaign.max_lines - len(campaign.ringing), campaign.leads_left))
    bid = Bid(campaign, outlook.roster.unions_over(campaign.id), _weight(campaign), room)
    bid.chances = outlook.answering(campaign, near_s)
    bid.answers = expected(bid.chances)
    bid.near = outlook.chance(campaign, near_s)
    bid.doubt = outlook.doubts[campaign.id]
    limits: list[float] = []
    hands: list[float] = []
    for cap, budget in budgets.items():
        if campaign.id in cap.campaigns:
            waiting = sum([len(other.waiting) for other in floor.campaigns if other.id in cap.campaigns])
            limits.append(budget.limit(waiting, bid.answers))
            hands.append(budget.in_hand())
    bid.budget = min(hands, default=0.0)
    limit = min(limits, default=0.0)
    if reserves_little(campaign):
        bid.limit = limit
    elif campaign.mode is Mode.AGENTLESS and limits and limit <= 0.0:
        bid.room = 0
    return bid


def _weight(campaign: Campaign) -> float:
    """Return a campaign's claim: its priority, more in the last hour of its calling window."""
    urgency = 1.0
    if campaign.window_left_s is not None:
        urgency = min(4.0, max(1.0, 3600.0 / max(60.0, campaign.window_left_s)))
    return max(1e-6, campaign.priority) * urgency


def _sentence(bid: Bid, hand: _Hand) -> str:
    """Say the decision in a sentence, as the status page shows it."""
    lines = f"{bid.lines} line" if bid.lines == 1 else f"{bid.lines} lines"
    if not bid.room:
        return f"{lines}: no lead, no free line or no budget is left"
    mode = bid.campaign.mode
    if mode is Mode.AGENTLESS:
        return f"{lines}: agentless, bounded by lines and leads"
    if not bid.unions:
        return f"{lines}: no operator serves this campaign"
    idle = min([hand.idle[index] for index in bid.unions])
    if mode is Mode.PREVIEW:
        return f"{lines} to show: {idle} idle"
    if mode is Mode.PROGRESSIVE:
        return f"{lines}: {idle} idle, one line for each"
    if bid.limit <= 0.0:
        return f"{lines}: the budget of abandonments is gone ({bid.budget:.1f}), so one line for each of {idle} idle"
    if mode is Mode.RATIO:
        return f"{lines}: {idle} idle, {bid.campaign.ratio:g} lines for each; {bid.budget:.1f} abandonments left"
    spare = min([hand.expected[index] for index in bid.unions])
    return (
        f"{lines}: {idle} idle, {spare:.1f} operators to spare in {hand.near_s:.0f} s; chance that an answer meets"
        f" nobody {100.0 * bid.risk:.1f} % of at most {100.0 * bid.limit:.1f} %; {bid.budget:.1f} abandonments left"
    )


def _numbers(bid: Bid, hand: _Hand) -> dict[str, float]:
    return {
        "lines": bid.lines,
        "idle": min([hand.idle[index] for index in bid.unions], default=0),
        "spare": min([hand.expected[index] for index in bid.unions], default=0.0),
        "risk": bid.risk,
        "limit": bid.limit,
        "budget": bid.budget,
        "answers_coming": bid.answers,
        "answer_rate": hand.outlook.rings[bid.campaign.id].rate.rate(),
        "handling_s": hand.outlook.talk.mean_s + hand.outlook.wrapup.mean_s,
        "horizon_s": hand.near_s,
    }
