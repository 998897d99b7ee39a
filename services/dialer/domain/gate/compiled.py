"""Rules made ready for one set of zones: each becomes a function from a case and an instant to the first it allows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, get_args

from services.dialer.domain.gate.decision import RuleSays, Says
from services.dialer.domain.gate.facts import ConsentKind, Facts, Mode
from services.dialer.domain.gate.history import History
from services.dialer.domain.gate.packs import (
    ALL_MODES,
    Barred,
    CapAttempts,
    CoolDown,
    Effect,
    LimitAbandonment,
    MinRing,
    NeedConsent,
    NeedScrub,
    OpenHours,
    OptOutWords,
    RevokeAll,
    Rule,
)
from services.dialer.domain.gate.windows import Schedule
from services.dialer.domain.gate.zones import MINUTE, Zones

ALWAYS: Final = 1 << 62
GUARD: Final = MINUTE  # The last minute of a window is closed.
_ANY_KIND: frozenset[ConsentKind] = frozenset(get_args(ConsentKind))


@dataclass(slots=True)
class Case:
    """One person's facts while they are being decided; *limit* is the horizon, *guard* what a window keeps free."""

    facts: Facts
    history: History
    limit: int
    guard: int = GUARD


Ask = Callable[[Case, int], int | None]
"""Returns the first instant at or after the given one that a rule allows; None when none comes within the limit."""


@dataclass(slots=True, eq=False)
class Entry:
    """A rule ready to be asked: which modes it is about, which it can hold back, from when to when it is in force."""

    said: dict[Says, RuleSays]
    ask: Ask
    applies: frozenset[Mode] = ALL_MODES
    binds: frozenset[Mode] = ALL_MODES
    start: int = -ALWAYS
    end: int = ALWAYS
    ring_s: int = 0
    cap: CapAttempts | None = None

    def first(self, case: Case, us: int) -> int | None:
        """Return the first instant from *us* that the rule allows; outside the time it is in force it allows all."""
        if not self.start <= us < self.end:
            return us
        found = self.ask(case, us)
        if found is None or found > self.end:
            return self.end if self.end < ALWAYS else None
        return found


def sayings(rule_id: str, cite: str, text: str) -> dict[Says, RuleSays]:
    """Return what a rule can say, made once."""
    return {says: RuleSays(rule_id, says, cite, text) for says in get_args(Says)}


def compile_rule(rule: Rule, zones: Zones, schedule: Callable[[Case], Schedule] | None) -> Entry:
    """Return *rule* ready to be asked about persons in *zones*; *schedule* gives its windows, if it has some."""
    start, end = rule.start, rule.end
    effect = rule.effect
    return Entry(
        said=sayings(rule.id, rule.cite, rule.text),
        ask=_ask(effect, schedule),
        applies=ALL_MODES if rule.when.modes is None else rule.when.modes,
        binds=rule.binds,
        # In several zones a rule is in force while it is in any of them.
        start=-ALWAYS if start is None else zones.midnights(start.toordinal())[0],
        end=ALWAYS if end is None else zones.midnights(end.toordinal())[1],
        ring_s=effect.seconds if isinstance(effect, MinRing) else 0,
        cap=effect if isinstance(effect, CapAttempts) else None,
    )


def _ask(effect: Effect, schedule: Callable[[Case], Schedule] | None) -> Ask:
    match effect:
        case OpenHours():
            assert schedule is not None
            return _ask_hours(effect, schedule)
        case NeedConsent(kinds, unless):
            return _when(lambda case, us: case.history.has_consent(kinds, us) or case.history.lifts(unless, us))
        case NeedScrub(_, unless):
            return _when(
                lambda case, us: case.history.lifts(unless, us) or case.history.is_scrubbed(effect, us), scrubs=True
            )
        case Barred(unless):
            return _when(lambda case, us: case.history.lifts(unless, us))
        case RevokeAll():
            return _when(lambda case, us: not case.history.is_revoked(us))
        case CapAttempts():
            return lambda case, us: case.history.first_under_cap(effect, us) if case.facts.attempts else us
        case CoolDown():
            return lambda case, us: case.history.first_after(effect, us)
        case LimitAbandonment():
            return lambda case, us: us if is_within(effect, case.facts) else None
        case MinRing() | OptOutWords():
            return lambda _, us: us


def _when(holds: Callable[[Case, int], bool], *, scrubs: bool = False) -> Ask:
    """Return a rule that allows whenever *holds*, looked at again each time something begins to count."""

    def ask(case: Case, us: int) -> int | None:
        if holds(case, us):
            return us
        return next((at for at in case.history.openings(us, scrubs=scrubs) if holds(case, at)), None)

    return ask


def _ask_hours(effect: OpenHours, schedule: Callable[[Case], Schedule]) -> Ask:
    if not effect.opened_by_consent:
        return lambda case, us: schedule(case).first_open(us, case.guard, case.limit)

    def ask(case: Case, us: int) -> int | None:
        found = schedule(case).first_open(us, case.guard, case.limit)
        if found == us:
            return us
        moments = (at for at in (us, *case.history.openings(us)) if found is None or at < found)
        return next((at for at in moments if case.history.has_consent(_ANY_KIND, at, outside_hours=True)), found)

    return ask


def is_within(limit: LimitAbandonment, facts: Facts) -> bool:
    """Tell whether the campaign's share of abandoned calls is known, sure enough and not over the cap.

    The counts are those of the present window, at whichever instant is asked about.
    """
    counts = facts.campaign.windows.get(limit.window, facts.campaign.total)
    if counts.answered is None or counts.abandoned is None or counts.answered < limit.min_sample:
        return False
    return counts.abandoned * 1_000_000 <= limit.cap_ppm * counts.answered
