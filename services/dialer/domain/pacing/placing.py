"""Handing out lines: one at a time, to the campaign furthest behind its weight, as long as each is allowed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

from services.dialer.domain.pacing.budget import Budget
from services.dialer.domain.pacing.floor import Campaign, Cap, Decision, Floor, Mode
from services.dialer.domain.pacing.outlook import EARLY, FAR, NEAR, Answering, Outlook, reserves_little
from services.dialer.domain.pacing.spare import Spare

IDLE_DECISION_S = 5.0
BUSY_DECISION_S = 0.5
# A pool never has more lines than this per operator at work, however poor a list seems: what was learned may be wrong.
MAX_LINES_PER_OPERATOR = 40
# The whole of a burst may be this much riskier than one line: later answers see operators finish.
FAR_RISK = 2.0
# What a line placed for an idle operator may risk by lines that others place beside it.
NEARLY_CERTAIN = 0.0015


@dataclass(slots=True, eq=False)
class Bid:
    """One campaign's claim on the pool while lines are handed out."""

    campaign: Campaign
    unions: Sequence[int]
    answering: Answering  # its lines that ring, at the near horizon
    weight: float
    room: int
    budget: float = 0.0  # abandonments left in the tightest window
    own: float = 0.0  # highest risk its own budget allows a line; zero in progressive dialing
    calm: float = 0.0  # what it brings to the limit it shares: its own, and next to nothing in progressive dialing
    limit: float = 0.0  # highest risk a line may have, one for all who share its operators
    near: float = 1.0  # chance that a new line is answered by the near horizon
    early: float = 1.0
    far: float = 1.0
    doubt: float = 0.0
    answer_rate: float = 0.0
    answers: float = 0.0  # expected from its lines, those placed now included
    lines: int = 0
    risk: float = 0.0

    @property
    def counted(self) -> bool:
        """Whether its lines are counted against idle operators, instead of weighed by what they risk."""
        return self.own <= 0.0 or self.campaign.mode is Mode.RATIO


def place(floor: Floor, outlook: Outlook, budgets: Mapping[Cap, Budget]) -> Decision:
    """Say how many lines each campaign places now, and why."""
    near_s = outlook.horizon_s(NEAR)
    bids = [_bid(campaign, outlook, near_s) for campaign in floor.campaigns]
    _take_limits(bids, budgets)
    hand = _Hand(outlook, bids, near_s)
    live = sum([len(bid.campaign.ringing) for bid in bids if bid.campaign.mode is not Mode.AGENTLESS])
    hand.deal(outlook.roster.everyone.staffed * MAX_LINES_PER_OPERATOR - live)
    return Decision(
        {bid.campaign.id: bid.lines for bid in bids},
        _Told(hand, _sentence),
        _Told(hand, _numbers),
        BUSY_DECISION_S if floor.operators and any(bid.room for bid in bids) else IDLE_DECISION_S,
    )


_Telling = TypeVar("_Telling")


class _Told(Mapping[str, _Telling]):
    """What is told of each campaign's lines, put into words when it is read: of most decisions nobody reads any."""

    def __init__(self, hand: "_Hand", tell: "Callable[[Bid, _Hand], _Telling]") -> None:
        self._hand = hand
        self._tell = tell

    def __getitem__(self, campaign_id: str) -> _Telling:
        for bid in self._hand.bids:
            if bid.campaign.id == campaign_id:
                return self._tell(bid, self._hand)
        raise KeyError(campaign_id)

    def __iter__(self) -> Iterator[str]:
        return iter([bid.campaign.id for bid in self._hand.bids])

    def __len__(self) -> int:
        return len(self._hand.bids)


class _Hand:
    """The floor while lines are handed out: what is held, and what is to spare at both horizons."""

    def __init__(self, outlook: Outlook, bids: Sequence[Bid], near_s: float) -> None:
        self.outlook = outlook
        self.bids = bids
        self.handling_s = outlook.talk.mean_s + outlook.wrapup.mean_s
        self.near_s = near_s
        self.idle = [crew.idle for crew in outlook.roster.crews]
        self.near = outlook.spares(near_s, {bid.campaign.id: bid.answering for bid in bids})
        self.expected = [spare.mean for spare in self.near]
        self.early: list[Spare] = []
        if outlook.roster.everyone.promised:
            early_s = outlook.horizon_s(EARLY)
            self.early = self._look(early_s)
            for bid in bids:
                bid.early = outlook.chance(bid.campaign, early_s)
        self._far: list[Spare] | None = None
        # Operators spoken for: by people waiting, and by lines that are counted against idle operators.
        self.held = [0] * len(self.idle)
        self.weighed = [False] * len(self.idle)  # whether lines of another kind take the same operators
        self.limits = [0.0] * len(self.idle)
        self._agree([bid for bid in bids if bid.campaign.mode is not Mode.AGENTLESS])

    def _agree(self, bids: Sequence[Bid]) -> None:
        """Find the highest risk of a line in each union: one for all, since an answer meets whatever all placed.

        Only all together can be calm, and somebody's answers that are few cannot wait for a quiet moment. So each has
        a say by its answers on their way and one line more, and the less it has in hand, the louder: the mean of power
        −2 of the limits that their own budgets allow. (The mean of power −1 left a campaign in 30 above its cap.)
        """
        weights = [0.0] * len(self.idle)
        prices = [0.0] * len(self.idle)
        for bid in bids:
            weight = bid.answers + (bid.near if bid.room else 0.0)
            for index in bid.unions:
                self.held[index] += len(bid.campaign.waiting) + (len(bid.campaign.ringing) if bid.counted else 0)
                self.weighed[index] |= not bid.counted
                weights[index] += weight
                prices[index] += weight / bid.calm**2 if weight else 0.0
        self.limits = [sqrt(weight / price) if price else 0.0 for weight, price in zip(weights, prices, strict=True)]
        for bid in bids:
            bid.limit = min([self.limits[index] for index in bid.unions], default=0.0) if bid.own > 0.0 else 0.0

    def far(self) -> list[Spare]:
        """Return the far horizon; most decisions place nothing and never need it."""
        if self._far is None:
            far_s = self.outlook.horizon_s(FAR)
            for bid in self.bids:
                bid.far = self.outlook.chance(bid.campaign, far_s)
            self._far = self._look(far_s)
        return self._far

    def _look(self, horizon_s: float) -> list[Spare]:
        answering = {bid.campaign.id: self.outlook.answering(bid.campaign, horizon_s) for bid in self.bids}
        return self.outlook.spares(horizon_s, answering)

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
        if bid.counted:
            each = bid.campaign.ratio if bid.own > 0.0 else 1.0
            most = max(0, min(most, *[int(each * self.idle[index]) - self.held[index] for index in bid.unions]))
            if not most or not any(self.weighed[index] for index in bid.unions):
                return most
        risks = [self._near_risk(bid, index, 0) for index in bid.unions]
        bid.risk = max(risks)
        for index, risk in zip(bid.unions, risks, strict=True):
            if risk > self.limits[index]:
                return 0  # so end most decisions
        near = 1 + _most(most - 1, lambda lines: self.near_allows(bid, 1 + lines))
        far = self._far or self.far()
        if self.far_allows(bid, far, near - 1):
            return near
        return _most(near - 1, lambda lines: self.far_allows(bid, far, lines))

    def near_allows(self, bid: Bid, before: int) -> bool:
        """Tell whether another line may be placed after so many, by what its answer risks."""
        # A loop takes a tenth off the whole decision beside all() over a generator: this runs several times in each.
        for index in bid.unions:
            risk = self._near_risk(bid, index, before)
            if risk > self.limits[index]:
                return False
        return True

    def far_allows(self, bid: Bid, far: Sequence[Spare], before: int) -> bool:
        """Tell whether another line may be placed after so many, by what the whole burst risks."""
        doubt = _more_doubt(bid, bid.far, before) if before else 0.0
        for index in bid.unions:
            if far[index].chance_none(before, bid.far, doubt) > FAR_RISK * self.limits[index]:
                return False
        return True

    def _near_risk(self, bid: Bid, index: int, before: int) -> float:
        """Return the chance that a new line's answer finds nobody to spare in a union, after so many lines."""
        doubt = _more_doubt(bid, bid.near, before) if before else 0.0
        risk = self.near[index].chance_none(before, bid.near, doubt)
        if not self.early:
            return risk
        doubt = _more_doubt(bid, bid.early, before) if before else 0.0
        return 0.5 * (risk + self.early[index].chance_none(before, bid.early, doubt))

    def add(self, bid: Bid, lines: int) -> None:
        """Take in more lines of this campaign."""
        if not lines:
            return
        bid.lines += lines
        for index in bid.unions:
            self.held[index] += lines if bid.counted else 0
            self.near[index].add_lines(lines, bid.near, _more_doubt(bid, bid.near, lines))
            if self.early:
                self.early[index].add_lines(lines, bid.early, _more_doubt(bid, bid.early, lines))
            if self._far is not None:
                self._far[index].add_lines(lines, bid.far, _more_doubt(bid, bid.far, lines))
        bid.answers += lines * bid.near


def _most(most: int, allows: Callable[[int], bool]) -> int:
    """Return how many lines may be placed: the risk grows with each, so feel ahead in growing steps, then halve."""
    low, high = 0, min(most, 1)
    while low < high and allows(high - 1):
        low, high = high, min(most, 2 * high)
    high = max(low, high - 1)  # the last step was too long, unless there was none
    while low < high:
        middle = (low + high) // 2
        if allows(middle):
            low = middle + 1
        else:
            high = middle
    return low


def _more_doubt(bid: Bid, chance: float, lines: int) -> float:
    """Return what more lines add to the doubt of a sum, which grows with its square: d·((a + c)² − a²)."""
    more = lines * chance
    return bid.doubt * more * (2.0 * bid.answers + more)


def _bid(campaign: Campaign, outlook: Outlook, near_s: float) -> Bid:
    room = min(campaign.max_lines - len(campaign.ringing), campaign.leads_left)
    answering = outlook.answering(campaign, near_s)
    bid = Bid(campaign, outlook.roster.over[campaign.id], answering, _weight(campaign), max(0, room))
    bid.answers = answering.mean
    bid.near = outlook.chance(campaign, near_s)
    bid.doubt = outlook.doubts[campaign.id]
    bid.answer_rate = outlook.rings[campaign.id].rate.rate()
    return bid


def _take_limits(bids: Sequence[Bid], budgets: Mapping[Cap, Budget]) -> None:
    """Give each bid what the most restrictive of its caps allows; a cap without room for risk leaves none."""
    by_campaign = {bid.campaign.id: bid for bid in bids}
    capped: dict[str, tuple[float, float]] = {}  # the least limit, and the least in hand
    for cap, budget in budgets.items():
        waiting, answers = 0, 0.0
        under = [by_campaign[name] for name in cap.campaigns if name in by_campaign]
        for bid in under:
            waiting += len(bid.campaign.waiting)
            answers += bid.answers
        hand = budget.in_hand()
        limit = budget.limit(hand, waiting, answers)
        for bid in under:
            name = bid.campaign.id
            least = capped.get(name)
            capped[name] = (limit, hand) if least is None else (min(limit, least[0]), min(hand, least[1]))
    for bid in bids:
        limit, bid.budget = capped.get(bid.campaign.id, (0.0, 0.0))
        if reserves_little(bid.campaign):
            bid.own = limit
        elif bid.campaign.mode is Mode.AGENTLESS and limit <= 0.0 and bid.campaign.id in capped:
            bid.room = 0
        bid.calm = bid.own or NEARLY_CERTAIN


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
    if bid.own <= 0.0:
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
        "answer_rate": bid.answer_rate,
        "handling_s": hand.handling_s,
        "horizon_s": hand.near_s,
    }
