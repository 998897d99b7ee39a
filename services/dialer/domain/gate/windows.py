"""When a rule's windows are open in every zone where a person may be."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from services.dialer.domain.gate.calendars import proclaimed_days, public_holidays
from services.dialer.domain.gate.facts import Hours, Proclaimed, Span
from services.dialer.domain.gate.zones import DAY, EPOCH_DAY, MINUTE, Zone, Zones

Interval = tuple[int, int]
ALL_DAY: tuple[Span, ...] = ((0, 1440),)
_NONE: frozenset[int] = frozenset()
_CHUNKS = 20_000  # Per rule and set of zones and day; each is a tuple of one or two pairs.


@dataclass(frozen=True, slots=True)
class Windows:
    """Spans of the local day in which calls are allowed; outside the days *start* to *end* it allows all.

    *holidays* replaces a public holiday's spans and *eves* narrows those of the day before one; neither can open what
    the weekday closes.
    """

    days: Hours
    calendar: str | None = None
    holidays: tuple[Span, ...] | None = None
    eves: tuple[Span, ...] | None = None
    start: int | None = None
    end: int | None = None

    def spans_on(self, day: int, proclaimed: frozenset[int] = _NONE) -> tuple[Span, ...]:
        """Return the open spans of the local *day*."""
        if (self.start is not None and day < self.start) or (self.end is not None and day >= self.end):
            return ALL_DAY
        spans = self.days[(day - 1) % 7]
        if self.calendar is None:
            return spans
        if self.holidays is not None and self._is_holiday(day, proclaimed):
            return intersect(spans, self.holidays)
        if self.eves is not None and self._is_holiday(day + 1, proclaimed):
            return intersect(spans, self.eves)
        return spans

    def is_plain(self, day: int, proclaimed: frozenset[int] = _NONE) -> bool:
        """Tell whether the days from the one before *day* to the one after are open as their weekdays are."""
        if (self.start is not None and day - 1 < self.start) or (self.end is not None and day + 1 >= self.end):
            return False
        if self.calendar is None:
            return True
        # The day after them too, of which the last may be the eve.
        around = range(day - 1, day + 3)
        years = {_year(day - 1), _year(day + 2)}
        return proclaimed.isdisjoint(around) and all(
            public_holidays(self.calendar, year).isdisjoint(around) for year in years
        )

    def _is_holiday(self, day: int, proclaimed: frozenset[int]) -> bool:
        assert self.calendar is not None
        return day in proclaimed or day in public_holidays(self.calendar, _year(day))


class Schedule:
    """One rule's windows in a set of zones at once, found day by day as they are asked for."""

    __slots__ = ("_chunks", "_proclaimed", "_usual", "_windows", "_zones")

    def __init__(self, windows: Windows, zones: Zones) -> None:
        """Open only where *windows* are open in all of *zones*."""
        self._windows = windows
        self._zones = zones
        self._proclaimed = _NONE
        self._usual: Schedule | None = None
        self._chunks: dict[int, tuple[Interval, ...]] = {}

    def with_proclaimed(self, proclaimed: tuple[Proclaimed, ...]) -> "Schedule":
        """Return the schedule with holidays *proclaimed*; days away from them are taken from this one."""
        calendar = self._windows.calendar
        days = proclaimed_days(calendar, proclaimed) if calendar and proclaimed else _NONE
        if not days:
            return self
        changed = Schedule(self._windows, self._zones)
        changed._proclaimed, changed._usual = days, self
        return changed

    def first_open(self, us: int, guard: int, limit: int) -> int | None:
        """Return the first instant from *us* to *limit* that is open and stays so for longer than *guard*."""
        chunk = us // DAY
        while chunk * DAY <= limit:
            for start, end in self._chunk(chunk):
                begins = max(start, us)
                if begins < end - guard or (end == (chunk + 1) * DAY and begins < self._ends(chunk + 1, end) - guard):
                    return begins if begins <= limit else None
            chunk = chunk + 1 if chunk < us // DAY + 7 else self._next(chunk, guard)
        return None

    def _next(self, chunk: int, guard: int) -> int:
        """Return the UTC day after *chunk* to look at: many zones may have no common hour for a whole season."""
        start, end, offsets = self._zones.steady(chunk * DAY)
        windows, day = self._windows, chunk + EPOCH_DAY
        first = start if windows.start is None else max(start, (windows.start + 1 - EPOCH_DAY) * DAY)
        last = end if windows.end is None else min(end, (windows.end - 1 - EPOCH_DAY) * DAY)
        # Holidays only close, so what a plain week does not open stays closed; the season's last day is looked at.
        if (
            first // DAY + EPOCH_DAY <= day < last // DAY + EPOCH_DAY - 2
            and _longest_opening(windows.days, offsets) <= guard
        ):
            return last // DAY - 1
        return chunk + 1

    def _ends(self, chunk: int, end: int) -> int:
        """Return where the interval ends that reaches from before into *chunk*; a guard is shorter than a day."""
        following = self._chunk(chunk)
        return following[0][1] if following and following[0][0] == end else end

    def _chunk(self, chunk: int) -> tuple[Interval, ...]:
        if (known := self._chunks.get(chunk)) is None:
            # A UTC day lies on two or three local ones, and the eve of a holiday is a day before it.
            if self._usual is not None and all(abs(day - chunk - EPOCH_DAY) > 3 for day in self._proclaimed):
                return self._usual._chunk(chunk)
            if len(self._chunks) >= _CHUNKS:
                self._chunks.clear()
            known = self._chunks[chunk] = self._build(chunk)
        return known

    def _build(self, chunk: int) -> tuple[Interval, ...]:
        """Return what is open on one UTC day."""
        first, last = chunk * DAY, (chunk + 1) * DAY
        _, end, offsets = self._zones.steady(first)
        # Where no clock changes, zones of one offset are open alike.
        if end < last:
            # Zones whose clocks show the same all day are open alike too.
            alike = {(zone.stretch(first)[1:], zone.stretch(last - 1)): zone for zone in self._zones}
            return _common((self._open_in(zone, first, last) for zone in alike.values()), first)
        if self._windows.is_plain(chunk + EPOCH_DAY, self._proclaimed):
            opened = _plain_day(self._windows.days, offsets, chunk % 7)
            return tuple([(first + start, first + end) for start, end in opened])
        return _common((self._open_by(offset, first) for offset in offsets), first)

    def _open_by(self, offset: int, first: int) -> list[Interval]:
        """Return what is open on the UTC day from *first* by a clock that shows *offset* to UTC."""
        return _by_clock(offset, first, lambda day: self._windows.spans_on(day, self._proclaimed))

    def _open_in(self, place: Zone, first: int, last: int) -> list[Interval]:
        """Return what is open in a zone on a UTC day, exact across a change of its clock."""
        found: list[Interval] = []
        for day in range(place.day_at(first), place.day_at(last - 1) + 1):
            for start, end in self._windows.spans_on(day, self._proclaimed):
                found += place.spans(day, start, end)
        return _merge(found)


@lru_cache(maxsize=16_384)  # Weeks that rules write times the seasons of sets of zones.
def _longest_opening(days: Hours, offsets: tuple[int, ...]) -> int:
    """Return how long a plain week is open at a stretch where the clocks show these *offsets* to UTC."""
    opened: Sequence[Interval] = ((0, 14 * DAY),)
    for offset in offsets:
        opened = intersect(opened, _plain_fortnight(days, offset))
    return max((end - start for start, end in opened), default=0)


@lru_cache(maxsize=4096)
def _plain_fortnight(days: Hours, offset: int) -> list[Interval]:
    week = enumerate([*days] * 2)
    return _merge([(n * DAY + a * MINUTE - offset, n * DAY + b * MINUTE - offset) for n, day in week for a, b in day])


@lru_cache(maxsize=65_536)  # Weeks that rules write, times seven, times the seasons of sets of zones.
def _plain_day(days: Hours, offsets: tuple[int, ...], weekday: int) -> tuple[Interval, ...]:
    """Return what is open on a UTC day without holidays near, counted from its beginning.

    *offsets* to UTC are what the clocks show. *weekday* counts from that of 1970-01-01.
    """
    return _common((_plain_span(days, offset, weekday) for offset in offsets), 0)


@lru_cache(maxsize=65_536)  # Each of a set of offsets is one of a few dozen.
def _plain_span(days: Hours, offset: int, weekday: int) -> list[Interval]:
    first = weekday * DAY
    found = _by_clock(offset, first, lambda day: days[(day - 1) % 7])
    return [(start - first, end - first) for start, end in found]


def _by_clock(offset: int, first: int, spans_on: Callable[[int], Iterable[Span]]) -> list[Interval]:
    begins = (first + offset) // DAY
    return _merge(
        [
            (day * DAY - offset + start * MINUTE, day * DAY - offset + end * MINUTE)
            for day in (begins, begins + 1)
            for start, end in spans_on(day + EPOCH_DAY)
        ]
    )


def _common(opened: Iterable[list[Interval]], first: int) -> tuple[Interval, ...]:
    """Return what all have in common on the UTC day from *first*."""
    common: tuple[Interval, ...] = ((first, first + DAY),)
    for intervals in opened:
        if not common:
            break
        common = intersect(common, intervals)
    return common


def intersect(one: Sequence[Interval], other: Sequence[Interval]) -> tuple[Interval, ...]:
    """Return what is in both of two ordered lists of half-open intervals."""
    found: list[Interval] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if one[i][1] <= other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def _merge(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


@lru_cache(maxsize=65_536)
def _year(day: int) -> int:
    return date.fromordinal(day).year


assert EPOCH_DAY % 7 == 4, "1970-01-01 was a Thursday; ordinals count Mondays as 1"
