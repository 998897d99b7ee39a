"""Who can serve whom: the operators of a pool grouped by skill, and the sets of operators that campaigns compete for.

Campaigns may share some operators and not others. Hall's theorem says when everybody can be served: for each union of
campaigns' operators, the campaigns confined to that union must not need more operators than it holds. So a line of
campaign *a* has to pass once per union that contains all of *a*'s operators; in an ordinary pool that is one union.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from services.dialer.domain.pacing.curves import LAST_STEP, PARTS
from services.dialer.domain.pacing.floor import Campaign, Operator, OperatorState

# Unions can double with every distinct skill set; past this bound the rarer ones are left out, the whole pool never.
MAX_UNIONS = 64
# Sums kept of one instant: of the hazards, and of chances and squares at two horizons; more when tables are renewed.
MAX_SUMS = 8


class Busy:
    """Since when operators are busy with one thing, longest first, and at which step of a table each is.

    The steps are those of one instant and one scale, and what tables add up to is kept until the next: whoever comes
    or goes is added or taken away. Tables hold whole numbers, so that sums are the same whatever way they came about.
    """

    __slots__ = ("_scale", "_sums", "_tick", "since", "steps")

    def __init__(self) -> None:
        self.since: list[float] = []
        self.steps: list[int] = []
        self._tick = self._scale = 0.0
        self._sums: dict[int, tuple[Sequence[int], int]] = {}  # by the table's identity; the table is kept with it

    def add(self, since: float) -> None:
        """Take in somebody."""
        index = bisect_right(self.since, since)
        step = min(LAST_STEP, max(0, int((self._tick - since) * self._scale)))
        self.since.insert(index, since)
        self.steps.insert(index, step)
        for key, (table, total) in self._sums.items():
            self._sums[key] = table, total + table[step]

    def remove(self, since: float) -> None:
        """Let go of somebody."""
        index = bisect_left(self.since, since)
        step = self.steps[index]
        del self.since[index], self.steps[index]
        for key, (table, total) in self._sums.items():
            self._sums[key] = table, total - table[step]

    def merge(self, others: "Sequence[Busy]") -> None:
        """Take in everybody of others."""
        self.since = sorted(since for other in others for since in other.since)
        self._tick = self._scale = 0.0

    def see(self, tick: float, scale: float) -> None:
        """Look at everybody at this instant, in steps of which *scale* make a second."""
        if tick != self._tick or scale != self._scale:
            self._tick, self._scale = tick, scale
            self._sums.clear()
            since = self.since
            # Hardly anybody outlasts the table or begins after the tick: both ends are set apart, not each compared.
            first = bisect_right(since, tick - LAST_STEP / scale)
            last = bisect_right(since, tick, first)
            inside = [int((tick - instant) * scale) for instant in since[first:last]]
            self.steps = [LAST_STEP] * first + inside + [0] * (len(since) - last)

    def add_up(self, table: Sequence[int]) -> float:
        """Return the sum of what a table of `parts` says of everybody."""
        found = self._sums.get(id(table))
        if found is None:
            if len(self._sums) >= MAX_SUMS:
                self._sums.clear()
            found = self._sums[id(table)] = table, sum(map(table.__getitem__, self.steps))
        return found[1] / PARTS


class Crew:
    """What the operators of one skill set, or of a union of them, are doing."""

    __slots__ = ("idle", "paused", "promised", "talking", "wrapping")

    def __init__(self) -> None:
        self.idle = 0
        self.paused = 0
        self.talking = Busy()
        self.wrapping = Busy()
        self.promised: dict[str, float] = {}  # busy operators who say in how many seconds they will be ready

    @property
    def staffed(self) -> int:
        """How many are at work: not paused."""
        return self.idle + len(self.talking.since) + len(self.wrapping.since) + len(self.promised)

    def add(self, operator: Operator) -> None:
        """Take in an operator."""
        name, state, since, ready_in, _ = operator
        if state is OperatorState.READY:
            self.idle += 1
        elif state is OperatorState.PAUSED:
            self.paused += 1
        elif ready_in is not None:
            # A busy operator's promise says more than how long the conversation has lasted.
            self.promised[name] = ready_in
        else:
            (self.talking if state is OperatorState.TALKING else self.wrapping).add(since)

    def remove(self, operator: Operator) -> None:
        """Let go of an operator, as it was added."""
        name, state, since, ready_in, _ = operator
        if state is OperatorState.READY:
            self.idle -= 1
        elif state is OperatorState.PAUSED:
            self.paused -= 1
        elif ready_in is not None:
            del self.promised[name]
        else:
            (self.talking if state is OperatorState.TALKING else self.wrapping).remove(since)


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
        self.over: dict[str, list[int]] = {}
        self.confined: list[list[int]] = []  # by union, the indices of the campaigns that only its operators serve
        self.unions: list[int] = []
        self.crews: list[Crew] = []
        self.everyone = Crew()

    def see(self, operators: Sequence[Operator], campaigns: Sequence[Campaign]) -> None:
        """Take in a snapshot."""
        names = [campaign.id for campaign in campaigns]
        if names == self._names and operators == self._operators:
            return
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
        # By campaign, the indices of the unions whose operators include all of its own; none if it has none.
        self.over = {
            name: [index for index, union in enumerate(self.unions) if mask and not mask & ~union]
            for name, mask in self.mask_of.items()
        }
        self.confined = [
            [index for index, name in enumerate(self._names) if number in self.over[name]]
            for number in range(len(self.unions))
        ]

    def _crew(self, union: int) -> Crew:
        chosen = [crew for bit, crew in enumerate(self._by_skill.values()) if union >> bit & 1]
        if len(chosen) == 1:
            return chosen[0]
        whole = Crew()
        for crew in chosen:
            whole.idle += crew.idle
            whole.paused += crew.paused
            whole.promised |= crew.promised
        whole.talking.merge([crew.talking for crew in chosen])
        whole.wrapping.merge([crew.wrapping for crew in chosen])
        return whole


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
