"""Who can serve whom: the operators of a pool grouped by skill, and the sets of operators that campaigns compete for.

Campaigns may share some operators and not others. Hall's theorem says when everybody can be served: for each union of
campaigns' operators, the campaigns confined to that union must not need more operators than it holds. So a line of
campaign *a* has to pass once per union that contains all of *a*'s operators; in an ordinary pool that is one union.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import Any

from services.dialer.domain.pacing.floor import Campaign, Operator, OperatorState

# Unions can double with every distinct skill set; past this bound the rarer ones are left out, the whole pool never.
MAX_UNIONS = 64


class Crew:
    """What the operators of one skill set, or of a union of them, are doing; busy since when, longest first."""

    __slots__ = ("idle", "memo", "paused", "promised", "talking", "wrapping")

    def __init__(self) -> None:
        self.memo: dict[object, Any] = {}  # what others worked out about this crew, until somebody's state changes
        self.idle = 0
        self.paused = 0
        self.talking: list[float] = []
        self.wrapping: list[float] = []
        self.promised: dict[str, float] = {}  # busy operators who say in how many seconds they will be ready

    @property
    def staffed(self) -> int:
        """How many are at work: not paused."""
        return self.idle + len(self.talking) + len(self.wrapping) + len(self.promised)

    def add(self, operator: Operator) -> None:
        """Take in an operator."""
        self.memo.clear()
        name, state, since, ready_in, _ = operator
        if state is OperatorState.READY:
            self.idle += 1
        elif state is OperatorState.PAUSED:
            self.paused += 1
        elif ready_in is not None:
            # A busy operator's promise says more than how long the conversation has lasted.
            self.promised[name] = ready_in
        else:
            insort(self.talking if state is OperatorState.TALKING else self.wrapping, since)

    def remove(self, operator: Operator) -> None:
        """Let go of an operator, as it was added."""
        self.memo.clear()
        name, state, since, ready_in, _ = operator
        if state is OperatorState.READY:
            self.idle -= 1
        elif state is OperatorState.PAUSED:
            self.paused -= 1
        elif ready_in is not None:
            del self.promised[name]
        else:
            busy = self.talking if state is OperatorState.TALKING else self.wrapping
            del busy[bisect_left(busy, since)]


class Roster:
    """Operators of the latest snapshot by skill, and the unions that bound each campaign.

    From one snapshot to the next few operators change: only they are moved.
    """

    def __init__(self) -> None:
        """Know nobody yet."""
        self._operators: Sequence[Operator] = ()
        self._names: list[str] = []
        self._by_skill: dict[tuple[str, ...], Crew] = {}
        self.mask_of: dict[str, int] = {}
        self.unions: list[int] = []
        self.crews: list[Crew] = []
        self.everyone = Crew()

    def see(self, operators: Sequence[Operator], campaigns: Sequence[Campaign]) -> None:
        """Take in a snapshot."""
        names = [campaign.id for campaign in campaigns]
        followed = len(operators) == len(self._operators) and self._follow(operators)
        if not followed:
            self._by_skill = {}
            for operator in operators:
                crew = self._by_skill.get(operator.campaigns) or self._by_skill.setdefault(operator.campaigns, Crew())
                crew.add(operator)
        if not followed or names != self._names:
            self._names = names
            self._compete()
        self._operators = operators
        self.crews = [self._crew(union) for union in self.unions]
        self.everyone = self._crew(-1)

    def _follow(self, operators: Sequence[Operator]) -> bool:
        """Move those whose state has changed; do nothing and return False when somebody's skills have."""
        pairs = zip(self._operators, operators, strict=True)
        moved = [(old, new) for old, new in pairs if old is not new and old != new]
        if any(old.campaigns != new.campaigns for old, new in moved):
            return False
        for old, new in moved:
            crew = self._by_skill[new.campaigns]
            crew.remove(old)
            crew.add(new)
        return True

    def _compete(self) -> None:
        self.mask_of = dict.fromkeys(self._names, 0)
        for bit, skill in enumerate(self._by_skill):
            for campaign_id in skill:
                if campaign_id in self.mask_of:
                    self.mask_of[campaign_id] |= 1 << bit
        self.unions = _unions(self.mask_of.values())

    def _crew(self, union: int) -> Crew:
        chosen = [crew for bit, crew in enumerate(self._by_skill.values()) if union >> bit & 1]
        if len(chosen) == 1:
            return chosen[0]
        whole = Crew()
        for crew in chosen:
            whole.idle += crew.idle
            whole.paused += crew.paused
            whole.talking += crew.talking
            whole.wrapping += crew.wrapping
            whole.promised |= crew.promised
        whole.talking.sort()
        whole.wrapping.sort()
        return whole

    def unions_over(self, campaign_id: str) -> list[int]:
        """Return the indices of the unions whose operators include all of this campaign's; none if it has none."""
        mask = self.mask_of[campaign_id]
        return [index for index, union in enumerate(self.unions) if mask and not mask & ~union]


def _unions(masks: Iterable[int]) -> list[int]:
    """Return all unions of the given sets, the whole first, at most MAX_UNIONS of them."""
    distinct = {mask for mask in masks if mask}
    whole = 0
    for mask in distinct:
        whole |= mask
    found = dict.fromkeys([whole]) if whole else {}
    for mask in sorted(distinct, key=lambda mask: (-mask.bit_count(), mask)):
        for union in [mask, *(known | mask for known in found)]:
            if len(found) < MAX_UNIONS:
                found[union] = None
    return list(found)
