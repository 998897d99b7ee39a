"""What a person granted, withdrew, bought and heard from us, asked about one instant.

All instants are microseconds since 1970. Each question is about *one* instant; `openings` lists those at which an
answer can turn to the better, so that the first good one is found without walking the time between.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date

from services.dialer.domain.gate.facts import ConsentKind, Facts, PastAttempt
from services.dialer.domain.gate.packs import CapAttempts, CapKey, CoolDown, NeedScrub, Span, Unless
from services.dialer.domain.gate.zones import DAY, EPOCH_DAY, Zones, to_us


class History:
    """One person's past in the zones where they may be."""

    __slots__ = ("_consents", "_facts", "_refused", "_withdrawals", "_zones")

    def __init__(self, facts: Facts, zones: Zones) -> None:
        """Keep what *facts* tell of the person; days are those of all *zones*."""
        self._facts = facts
        self._zones = zones
        self._refused = None if facts.refused_at is None else to_us(facts.refused_at)
        self._consents = [
            (c, to_us(c.given_at))
            for c in facts.consents
            if c.purpose == facts.purpose
            and c.channel == facts.channel
            and c.given_at is not None
            and c.kind is not None
        ]
        # A withdrawal that does not say of what may be of this.
        self._withdrawals = [
            to_us(c.withdrawn_at)
            for c in facts.consents
            if c.withdrawn_at is not None and c.purpose in (facts.purpose, None) and c.channel in (facts.channel, None)
        ]

    def has_consent(self, kinds: frozenset[ConsentKind], us: int, *, outside_hours: bool = False) -> bool:
        """Tell whether a grant of one of *kinds* holds: the latest event wins, of two at once the withdrawal."""
        return any(
            given <= us
            and consent.kind in kinds
            and (consent.outside_hours or not outside_hours)
            and not any(given <= withdrawn <= us for withdrawn in self._withdrawals)
            for consent, given in self._consents
        )

    def is_revoked(self, us: int) -> bool:
        """Tell whether a consent on any topic was withdrawn and none was granted for this one since."""
        withdrawn = [
            at
            for c in self._facts.consents
            if c.withdrawn_at is not None and c.channel != "email" and (at := to_us(c.withdrawn_at)) <= us
        ]
        return bool(withdrawn) and not any(max(withdrawn) < given <= us for _, given in self._consents)

    def lifts(self, unless: Unless, us: int) -> bool:
        """Tell whether a consent or a relationship lifts a requirement."""
        if unless.consents and self.has_consent(unless.consents, us):
            return True
        kind = self._facts.relationship.kind
        return kind in unless.relationships and self._is_recent(unless.relationships[kind], us)

    def _is_recent(self, length: Span | None, us: int) -> bool:
        """Tell whether the relationship is younger than *length*; a refusal ends it, whatever was bought since."""
        if self._refused is not None and self._refused <= us:
            return False
        if length is None:
            return True
        since = self._facts.relationship.since
        if since is None:
            return False
        first, last = self._zones.days_at(us)
        return since.toordinal() <= first and last < _after(since, length)

    def is_scrubbed(self, need: NeedScrub, us: int) -> bool:
        """Tell whether the number is on none of the lists, in versions that are neither too old nor of a later day."""
        for name, max_age in need.lists.items():
            scrub = self._facts.scrubs.get(name)
            if scrub is None:
                if need.required:
                    return False
            elif scrub.listed or (max_age is not None and not self._is_fresh(scrub.version_on, max_age, us)):
                return False
        return True

    def _is_fresh(self, version_on: date | None, max_age: int, us: int) -> bool:
        if version_on is None:
            return False
        first, last = self._zones.days_at(us)
        return version_on.toordinal() <= first and last <= version_on.toordinal() + max_age

    def openings(self, us: int, *, scrubs: bool = False) -> Iterator[int]:
        """Yield, in order, the instants after *us* at which a grant, a relationship or a list begins to count."""
        begins = {given for _, given in self._consents}
        days = [self._facts.relationship.since]
        if scrubs:
            days += [scrub.version_on for scrub in self._facts.scrubs.values()]
        today, _ = self._zones.days_at(us)
        coming = {day.toordinal() for day in days if day is not None}
        begins |= {zone.midnight(day) for day in coming if day > today for zone in self._zones}
        yield from sorted(at for at in begins if at > us)

    def first_under_cap(self, cap: CapAttempts, us: int) -> int:
        """Return the first instant from *us* at which fewer attempts count than the cap allows."""
        counted = sorted(to_us(attempt.at) for attempt in self._facts.attempts if self._counts(cap, attempt))
        if len(counted) < cap.maximum:
            return us
        if not cap.window.calendar_day:
            # With the newest ones left out, the attempt that has to leave the window is the maximum-th from the end.
            return max(us, counted[-cap.maximum] + cap.window.us)
        found = us
        while (full := self._full_day(counted, cap.maximum, found)) is not None:
            found = full
        return found

    def _full_day(self, counted: list[int], maximum: int, us: int) -> int | None:
        """Return when the day ends on which the cap is reached in some zone, None when it is reached in none."""
        for zone in self._zones:
            today = zone.day_at(us)
            if sum(zone.day_at(at) == today for at in counted) >= maximum:
                return zone.midnight(today + 1)
        return None

    def _counts(self, cap: CapAttempts, attempt: PastAttempt) -> bool:
        channel = attempt.channel
        if attempt.outcome in cap.exclude or (channel is not None and channel not in cap.channels):
            return False
        return self._concerns(cap.key, attempt)

    def _concerns(self, key: CapKey, attempt: PastAttempt) -> bool:
        """Tell whether an attempt is about the same *key* as this one; what it does not say, it may be."""
        facts = self._facts
        if key == "number":
            return attempt.number is None or attempt.number == facts.number
        if key in ("subject", "debt"):
            return None in (attempt.subject, facts.subject) or attempt.subject == facts.subject
        return key == "person" or attempt.campaign == "this"

    def first_after(self, cool: CoolDown, us: int) -> int:
        """Return the first instant from *us* at which the cool-down after the last such event is over."""
        found = us
        for at in self._events(cool):
            if cool.lasting.months:
                found = max(found, _months_after(at, cool.lasting.months))
                continue
            if not cool.lasting.calendar_day:
                found = max(found, at + cool.lasting.us)
                continue
            for zone in self._zones:
                if zone.day_at(at) == zone.day_at(us):
                    found = max(found, zone.midnight(zone.day_at(at) + 1))
        return found

    def _events(self, cool: CoolDown) -> list[int]:
        if cool.after is None:
            return [] if self._refused is None else [self._refused]
        return [
            to_us(attempt.at)
            for attempt in self._facts.attempts
            if attempt.outcome in (cool.after, None)
            and attempt.channel in ("voice", None)
            and self._concerns(cool.key, attempt)
        ]


def _months_after(us: int, months: int) -> int:
    """Return the instant so many months later, at the same time of day in UTC."""
    days, rest = divmod(us, DAY)
    return (_after(date.fromordinal(days + EPOCH_DAY), Span(months=months)) - EPOCH_DAY) * DAY + rest


def _after(since: date, length: Span) -> int:
    """Return the ordinal of the first day that is *length* after *since*; a month's missing days end with the month."""
    if not length.months:
        return since.toordinal() + length.us // 86_400_000_000
    months = since.year * 12 + since.month - 1 + length.months
    year, month = divmod(months, 12)
    return date(year, month + 1, min(since.day, monthrange(year, month + 1)[1])).toordinal()
