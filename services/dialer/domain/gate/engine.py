"""The decision: every rule that applies is asked for the first instant it allows, until all agree on one.

Each rule knows that instant from its windows, counts and dates, so nothing is walked minute by minute: while the rules
disagree, the search goes on from the latest instant any of them named.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.dialer.domain.gate.compiled import GUARD, Case, Entry, compile_rule, sayings
from services.dialer.domain.gate.decision import Decision, RuleSays, Says
from services.dialer.domain.gate.facts import MODES, Address, Channel, Facts, Hours, LineType, Mode, Outcome, Purpose
from services.dialer.domain.gate.history import History
from services.dialer.domain.gate.packs import (
    CapKey,
    LimitAbandonment,
    NeedConsent,
    NeedScrub,
    OpenHours,
    OptOutWords,
    Pack,
    Rule,
)
from services.dialer.domain.gate.places import Place, Places
from services.dialer.domain.gate.windows import Schedule, Windows
from services.dialer.domain.gate.zones import DAY, Zones, from_us, to_us, zone

HORIZON = 400 * DAY


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision in short; *held_by* is the id of the rule that had the last word."""

    decision: Says
    until: datetime | None = None
    held_by: str | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What holds for all calls to the same places with the same purpose, channel and kind of line."""

    entries: tuple[Entry, ...]
    zones: Zones
    versions: Mapping[str, str]
    drafts: tuple[str, ...]
    connect_within_ms: int | None
    binding: Mapping[Mode, tuple[Entry, ...]]
    rings: Mapping[Mode, tuple[Entry, ...]]

    def ring_s(self, mode: Mode, now: int) -> int:
        """Return how long an unanswered call must ring."""
        return max((entry.ring_s for entry in self.rings[mode] if entry.start <= now < entry.end), default=0)


_PlanKey = tuple[tuple[str, ...], tuple[str, ...], Purpose, Channel, LineType, tuple[str, ...]]


@dataclass(slots=True)
class Packs:
    """The packs in force, compiled, and what was worked out from them so far.

    *in_force* apply wherever they match, *optional* ones only where the facts name them. A change of packs is a new
    `Packs`; apart from what it remembers to be fast, one never changes.
    """

    places: Places
    in_force: tuple[Pack, ...]
    optional: Mapping[str, Pack] = field(default_factory=dict[str, Pack])
    _plans: dict[_PlanKey, _Plan] = field(default_factory=dict[_PlanKey, _Plan])
    _schedules: dict[tuple[Hours, Zones], Schedule] = field(default_factory=dict[tuple[Hours, Zones], Schedule])
    _zones: dict[tuple[str, ...], Zones] = field(default_factory=dict[tuple[str, ...], Zones])
    _entries: dict[tuple[str, Zones], Entry] = field(default_factory=dict[tuple[str, Zones], Entry])
    _by_id: dict[str, Pack] = field(default_factory=dict[str, Pack])
    _covering: dict[str, list[Pack]] = field(default_factory=dict[str, list[Pack]])
    _subdivided: frozenset[str] = frozenset()
    hourly: frozenset[str] = frozenset()
    """The rules that say at which hours; made from the packs."""

    def __post_init__(self) -> None:
        """Note which countries have packs for parts of them."""
        self._by_id = {pack.id: pack for pack in self.all_packs()}
        for pack in self.in_force:
            for code in pack.jurisdictions:
                self._covering.setdefault(code, []).append(pack)
        rules = (rule for pack in self.all_packs() for rule in pack.rules)
        self.hourly = frozenset(rule.id for rule in rules if isinstance(rule.effect, OpenHours))
        codes = (code for pack in self.all_packs() for code in pack.jurisdictions)
        self._subdivided = frozenset(code.partition("-")[0] for code in codes if "-" in code)

    def all_packs(self) -> list[Pack]:
        """Return every pack, in force or optional."""
        return [*self.in_force, *self.optional.values()]

    def place(self, facts: Facts) -> Place:
        """Return where the person of *facts* may be."""
        return self.places.place(facts.number, facts.line_type, facts.address, self._subdivided)

    def plan(self, facts: Facts, place: Place) -> _Plan:
        """Return the rules for calls like this one to *place*."""
        key = (
            place.zones,
            place.jurisdictions,
            facts.purpose,
            facts.channel,
            facts.line_type,
            facts.organisation_packs,
        )
        if (known := self._plans.get(key)) is None:
            if len(self._plans) >= 50_000:  # Places times purposes; a full memory begins again rather than grow.
                self._plans.clear()
            known = self._plans[key] = self._compile(facts, place)
        return known

    def hours(self, hours: Hours, zones: Zones) -> Schedule:
        """Return when a campaign's own *hours* are open in all *zones*."""
        if (known := self._schedules.get((hours, zones))) is None:
            if len(self._schedules) >= 2_000:  # Campaigns times sets of zones.
                self._schedules.clear()
            known = self._schedules[hours, zones] = Schedule(Windows(hours), zones)
        return known

    def _matching(self, facts: Facts, place: Place) -> list[Pack]:
        """Return the packs of the place and those that they extend, each once."""
        codes = ("*", *place.jurisdictions)
        matching = {pack.id: pack for code in codes for pack in self._covering.get(code, ())}
        matching |= {name: self.optional[name] for name in facts.organisation_packs}
        for pack in list(matching.values()):
            parent = pack.extends
            while parent is not None:
                matching[parent] = self._by_id[parent]
                parent = matching[parent].extends
        return sorted(matching.values(), key=lambda pack: pack.id)

    def _compile(self, facts: Facts, place: Place) -> _Plan:
        zones = self._zones_at(place)
        # All packs of the place are named, also those without a rule for such calls: a replay needs each to agree.
        packs = tuple(self._matching(facts, place))
        rules = [
            rule
            for pack in packs
            for rule in pack.rules
            if rule.when.matches(facts.purpose, facts.channel, facts.line_type)
            and not isinstance(rule.effect, OptOutWords)
        ]
        # Rules whose answer does not depend on the hour come first: when they say never, no hour needs finding.
        rules.sort(key=lambda rule: not isinstance(rule.effect, NeedConsent | NeedScrub | LimitAbandonment))
        limits = [rule.effect.connect_within_ms for rule in rules if isinstance(rule.effect, LimitAbandonment)]
        entries = tuple(self._entry(rule, zones) for rule in rules) if zones else ()
        binding: dict[Mode, tuple[Entry, ...]] = {
            mode: tuple(entry for entry in entries if mode in entry.binds) for mode in MODES
        }
        return _Plan(
            entries=entries,
            zones=zones,
            versions={**{pack.id: pack.version for pack in packs}, "numbers": self.places.version},
            drafts=tuple(pack.id for pack in packs if pack.status == "draft"),
            connect_within_ms=min((limit for limit in limits if limit is not None), default=None),
            binding=binding,
            rings={mode: tuple(entry for entry in binding[mode] if entry.ring_s) for mode in MODES},
        )

    def _zones_at(self, place: Place) -> Zones:
        if (known := self._zones.get(place.zones)) is None:
            if len(self._zones) >= 20_000:
                self._zones.clear()
            # Zones that are one and the same by two names need asking once only.
            same = self.places.table["same_as"]
            names = sorted({same.get(name, name) for name in place.zones})
            known = self._zones[place.zones] = Zones(zone(name) for name in names)
        return known

    def _entry(self, rule: Rule, zones: Zones) -> Entry:
        if (known := self._entries.get((rule.id, zones))) is None:
            if len(self._entries) >= 20_000:  # Rules times sets of zones.
                self._entries.clear()
            known = self._entries[rule.id, zones] = self._compile_rule(rule, zones)
        return known

    def _compile_rule(self, rule: Rule, zones: Zones) -> Entry:
        effect = rule.effect
        if not isinstance(effect, OpenHours):
            return compile_rule(rule, zones, None)
        usual = Schedule(effect.windows, zones if effect.zone is None else Zones((zone(effect.zone),)))
        return compile_rule(rule, zones, lambda case: usual.with_proclaimed(case.facts.holidays_proclaimed))


def _core(name: str, cite: str, text: str) -> Entry:
    return Entry(sayings(f"gate.{name}", cite, text), lambda case, us: None)


_SUPPRESSED = _core(
    "suppressed", "47 CFR 64.1200(d)(3); GDPR Art. 21(3)", "Nobody who asked not to be contacted again is called."
)
_INTERNAL = _core(
    "internal", "47 CFR 64.1200(d)(6)", "Nobody on our own do-not-call list is called, whatever else they agreed to."
)
_ZONE_CITE = "47 CFR 64.1200(c)(1)"
_HOURS = sayings("gate.hours", "the campaign's plan", "Calls keep to the hours that the campaign or organisation set.")


def decide(facts: Facts, packs: Packs, at: datetime) -> Decision:
    """Return whether the call of *facts* may be made at *at*, and every rule that took part with what it says.

    Pure: equal arguments give equal decisions, today and when replayed.
    """
    now = to_us(at)
    place = packs.place(facts)
    plan = packs.plan(facts, place)
    mode = facts.mode
    ring_s = plan.ring_s(mode, now)
    case = _case(facts, plan, ring_s, now)
    entries = _with_own(plan.entries, facts, packs, place, plan)
    firsts = [entry.first(case, now) for entry in entries]
    barred = frozenset[Mode]().union(*(e.binds for e, first in zip(entries, firsts, strict=True) if first != now))
    until: int | None = now
    moved: list[Entry] = []
    if mode in barred:
        until, moved = _search([entry for entry in entries if mode in entry.binds], case, now)
    rules: list[RuleSays] = []
    for entry, first in zip(entries, firsts, strict=True):
        if mode not in entry.applies or not (entry.start <= now < entry.end or entry in moved):
            continue
        says: Says = "allow"
        if mode in entry.binds and (first != now or not entry.start <= now < entry.end):
            says = "deny" if first is None or first - now > HORIZON else "defer"
        rules.append(entry.said[says])
    return Decision(
        decision="deny" if until is None else "allow" if until == now else "defer",
        until=None if until is None or until == now else from_us(until),
        allowed_modes=tuple(m for m in MODES if m not in barred),
        rules=tuple(rules),
        zones=place.zones,
        jurisdictions=place.jurisdictions,
        packs=dict(plan.versions),
        min_ring_s=ring_s,
        connect_within_ms=plan.connect_within_ms,
        drafts=plan.drafts,
    )


def check(facts: Facts, packs: Packs, at: datetime) -> Verdict:
    """Return `decide`'s answer in short, several times faster: for long lists of leads."""
    now = to_us(at)
    place = packs.place(facts)
    plan = packs.plan(facts, place)
    case = _case(facts, plan, plan.ring_s(facts.mode, now), now)
    until, moved = _search(_with_own(plan.binding[facts.mode], facts, packs, place, plan), case, now)
    if until == now:
        return Verdict("allow")
    held_by = moved[-1].said["deny"].id if moved else None
    return Verdict("deny", None, held_by) if until is None else Verdict("defer", from_us(until), held_by)


def first_hour(facts: Facts, packs: Packs, at: datetime) -> datetime | None:
    """Return the first instant from *at* whose hour is legal for the call, by its own hours and those of the rules.

    None when there is none within the horizon. Nothing but the hour is asked about; where nobody can tell a person's
    time of day, any hour may be.
    """
    now = to_us(at)
    place = packs.place(facts)
    if not place.zones:
        return at
    plan = packs.plan(facts, place)
    hours = [entry for entry in plan.binding[facts.mode] if entry.said["deny"].id in packs.hourly]
    if facts.hours is not None:
        hours.append(_own_hours(packs.hours(facts.hours, plan.zones)))
    first, _ = _search(hours, _case(facts, plan, plan.ring_s(facts.mode, now), now), now)
    return None if first is None else from_us(first)


def packs_for(facts: Facts, packs: Packs) -> tuple[str, ...]:
    """Return the ids of the packs with rules about such a call."""
    place = packs.place(facts)
    return tuple(name for name in packs.plan(facts, place).versions if name != "numbers")


@dataclass(frozen=True, slots=True)
class Counter:
    """A cap that binds a call at one instant, as a count to be kept: so many per *key* in a span.

    A rolling span has a length, *lasting*; a calendar day its first instant and its last's successor, one counter per
    zone in which the person may be.
    """

    maximum: int
    key: CapKey
    exclude: frozenset[Outcome]
    lasting: timedelta | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None


def counters(facts: Facts, packs: Packs, at: datetime) -> tuple[Counter, ...]:
    """Return every cap that binds the call at *at*, for who keeps the counts: to check them again under lock."""
    now = to_us(at)
    plan = packs.plan(facts, packs.place(facts))
    found: list[Counter] = []
    for entry in plan.entries:
        cap = entry.cap
        if cap is None or facts.mode not in entry.binds or not entry.start <= now < entry.end:
            continue
        if not cap.window.calendar_day:
            lasting = timedelta(microseconds=cap.window.us)
            found.append(Counter(cap.maximum, cap.key, cap.exclude, lasting=lasting))
            continue
        for where in plan.zones:
            today = where.day_at(now)
            begins, ends = from_us(where.midnight(today)), from_us(where.midnight(today + 1))
            found.append(Counter(cap.maximum, cap.key, cap.exclude, begins_at=begins, ends_at=ends))
    return tuple(found)


def candidate_zones(
    number: str, address: Address | None, packs: Packs, line_type: LineType = "unknown"
) -> tuple[str, ...]:
    """Return the zones where the person may be, sorted; empty when an address is needed to tell."""
    return packs.place(Facts(number, line_type, address)).zones


def opt_out_words(packs: Packs, jurisdictions: Iterable[str]) -> frozenset[str]:
    """Return the words of an answer that mean no, united over all packs of *jurisdictions*."""
    codes = tuple(jurisdictions)
    effects = (rule.effect for pack in packs.in_force if pack.covers(codes) for rule in pack.rules)
    return frozenset[str]().union(*(effect.words for effect in effects if isinstance(effect, OptOutWords)))


def _case(facts: Facts, plan: _Plan, ring_s: int, now: int) -> Case:
    return Case(facts, History(facts, plan.zones), now + HORIZON, max(GUARD, ring_s * 1_000_000))


def _with_own(entries: tuple[Entry, ...], facts: Facts, packs: Packs, place: Place, plan: _Plan) -> tuple[Entry, ...]:
    """Return *entries* of the plan with what no pack says: the campaign's hours, a missing place, a refusal."""
    if facts.hours is not None and place.zones:
        entries = (_own_hours(packs.hours(facts.hours, plan.zones)), *entries)
    if place.missing is not None:
        entries = (_core("zone", _ZONE_CITE, f"The person's time of day must be known. Needed: {place.missing}."),)
    internal = facts.scrubs.get("internal")
    if internal is not None and internal.listed:
        entries = (_INTERNAL, *entries)
    return (_SUPPRESSED, *entries) if facts.suppressed else entries


def _own_hours(schedule: Schedule) -> Entry:
    def ask(case: Case, us: int) -> int | None:
        return schedule.first_open(us, case.guard, case.limit)

    return Entry(_HOURS, ask)


def _search(entries: Sequence[Entry], case: Case, now: int) -> tuple[int | None, list[Entry]]:
    """Return the first instant that all allow, within the horizon, and the rules that moved it on the way."""
    us = now
    moved: list[Entry] = []
    while True:
        before = us
        for entry in entries:
            first = entry.first(case, us)
            if first is None or first > case.limit:
                return None, [*moved, entry]
            if first != us:
                us = first
                if not moved or moved[-1] is not entry:
                    moved.append(entry)
        if us == before:
            return us, moved
