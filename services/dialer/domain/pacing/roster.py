"""Who can serve whom: the operators of a pool grouped by skill, and the sets of operators that campaigns compete for.

Campaigns may share some operators and not others. Hall's theorem says when everybody can be served: for each union of
campaigns' operators, the campaigns confined to that union must not need more operators than it holds. So a line of
campaign *a* has to pass once per union that contains all of *a*'s operators; in an ordinary pool that is one union.
"""

from collections.abc import Iterable, Sequence

from services.dialer.domain.pacing.floor import Campaign, Operator, OperatorState

# Unions can double with every distinct skill set; past this bound the rarer ones are left out, the whole pool never.
MAX_UNIONS = 64


class Crew:
    """What the operators of one skill set, or of a union of them, are doing; elapsed times in seconds."""

    __slots__ = ("idle", "paused", "promised", "talking", "wrapping")

    def __init__(self) -> None:
        self.idle = 0
        self.paused = 0
        self.talking: list[float] = []
        self.wrapping: list[float] = []
        self.promised: list[tuple[str, float]] = []  # busy operators who say when they will be ready

    @property
    def staffed(self) -> int:
        """How many are at work: not paused."""
        return self.idle + len(self.talking) + len(self.wrapping) + len(self.promised)

    def add(self, other: "Crew") -> None:
        """Take in another crew."""
        self.idle += other.idle
        self.paused += other.paused
        self.talking += other.talking
        self.wrapping += other.wrapping
        self.promised += other.promised


class Roster:
    """Operators of one snapshot by skill, and the unions that bound each campaign."""

    def __init__(self, operators: Sequence[Operator], campaigns: Sequence[Campaign], now: float) -> None:
        by_skill: dict[tuple[str, ...], Crew] = {}
        ready, talking, wrapup = OperatorState.READY, OperatorState.TALKING, OperatorState.WRAPUP
        known: tuple[str, ...] | None = None
        crew = Crew()
        for name, state, since, ready_in, skill in operators:
            if skill is not known:
                known = skill
                crew = by_skill.get(skill) or by_skill.setdefault(skill, Crew())
            if state is ready:
                crew.idle += 1
            elif state is talking:
                # A busy operator's promise says more than how long the conversation has lasted.
                if ready_in is not None:
                    crew.promised.append((name, ready_in))
                else:
                    crew.talking.append(now - since if now > since else 0.0)
            elif state is wrapup:
                if ready_in is not None:
                    crew.promised.append((name, ready_in))
                else:
                    crew.wrapping.append(now - since if now > since else 0.0)
            else:
                crew.paused += 1
        self._crews = list(by_skill.values())
        self.mask_of: dict[str, int] = dict.fromkeys([campaign.id for campaign in campaigns], 0)
        for bit, skill in enumerate(by_skill):
            for campaign_id in skill:
                if campaign_id in self.mask_of:
                    self.mask_of[campaign_id] |= 1 << bit
        self.unions: list[int] = _unions(self.mask_of.values())
        self.crews = [self._crew(union) for union in self.unions]
        self.everyone = self._crew(-1)

    def _crew(self, union: int) -> Crew:
        chosen = [crew for bit, crew in enumerate(self._crews) if union >> bit & 1]
        if len(chosen) == 1:
            return chosen[0]
        whole = Crew()
        for crew in chosen:
            whole.add(crew)
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
