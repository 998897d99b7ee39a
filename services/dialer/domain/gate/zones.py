"""A time zone as arithmetic: local days, midnights and spans of a day as instants, exact across changes of offset.

Instants are integer microseconds since 1970 in UTC, days are proleptic ordinals (`date.toordinal`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MICROSECOND = timedelta(microseconds=1)
MINUTE = 60_000_000
DAY = 1440 * MINUTE
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
_WEEK = 7 * 86_400


def to_us(instant: datetime) -> int:
    """Return *instant* in microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """Return the aware UTC instant that `to_us` wrote."""
    return EPOCH + timedelta(microseconds=us)


class Zone:
    """One zone of the tz database; finds each year's changes of offset once."""

    __slots__ = ("_info", "_stretch", "_years", "name")

    def __init__(self, name: str) -> None:
        """Take the zone's rules from the tz database; an unknown *name* raises `ZoneInfoNotFoundError`."""
        self.name = name
        self._info = ZoneInfo(name)
        self._years: dict[int, tuple[list[int], list[int]]] = {}
        self._stretch = (0, 0, 0)

    def day_at(self, us: int) -> int:
        """Return the local day on which the instant falls."""
        return (us + self.stretch(us)[2]) // DAY + EPOCH_DAY

    def midnight(self, day: int) -> int:
        """Return the first instant of the local *day*."""
        wall = (day - EPOCH_DAY) * DAY
        start, end, offset = self.stretch(wall)
        if start + DAY <= wall < end - DAY:  # No clock is further than a day from UTC.
            return wall - offset
        for start, _ in self.spans(day, 0, 1440):
            return start
        # A day that a zone skipped altogether (Samoa, 2011-12-30) begins and ends where the next one begins.
        return self.midnight(day + 1)

    def spans(self, day: int, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the instants at which the local clock on *day* shows *start* to *end* minutes, end excluded.

        A span lies in a missing hour not at all and in a repeated one twice; hence more or fewer than one interval.
        """
        wall = (day - EPOCH_DAY) * DAY
        first, last = wall + start * MINUTE, wall + end * MINUTE
        for segment_start, segment_end, offset in self._segments(first - DAY, last + DAY):
            begins, ends = max(first - offset, segment_start), min(last - offset, segment_end)
            if begins < ends:
                yield begins, ends

    def stretch(self, us: int) -> tuple[int, int, int]:
        """Return from when to when the offset at *us* holds within its UTC year, and the offset."""
        # One is asked about the same season again and again.
        if not self._stretch[0] <= us < self._stretch[1]:
            year = _year_of(us)
            starts, offsets = self.year(year)
            index = bisect_right(starts, us) - 1
            end = starts[index + 1] if index + 1 < len(starts) else _year_start(year + 1)
            self._stretch = starts[index], end, offsets[index]
        return self._stretch

    def _segments(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield stretches of constant offset that cover *first* to *last*."""
        us = first
        while us < last:
            _, end, offset = self.stretch(us)
            yield us, min(end, last), offset
            us = end

    def year(self, year: int) -> tuple[list[int], list[int]]:
        """Return since when which offsets hold in a UTC year."""
        if (known := self._years.get(year)) is None:
            known = self._years[year] = self._find_changes(year)
        return known

    def _find_changes(self, year: int) -> tuple[list[int], list[int]]:
        """Return where offsets begin in a UTC year, and the offsets.

        Looking once a week finds every change: no zone has had two within a week since 1970.
        """
        start, end = _year_start(year) // 1_000_000, _year_start(year + 1) // 1_000_000
        starts, offsets = [start * 1_000_000], [self._seconds(start)]
        for before in range(start, end, _WEEK):
            low, high = before, min(before + _WEEK, end - 1)
            new = self._seconds(high)
            if new == offsets[-1]:
                continue
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._seconds(middle) == offsets[-1] else (low, middle)
            starts.append(high * 1_000_000)
            offsets.append(new)
        return starts, [offset * 1_000_000 for offset in offsets]

    def _seconds(self, timestamp: int) -> int:
        offset = datetime.fromtimestamp(timestamp, self._info).utcoffset()
        assert offset is not None
        return offset // timedelta(seconds=1)


class Zones(tuple[Zone, ...]):
    """Every zone where a person may be; merges their changes of offset once a year, there being many sets of zones."""

    _days: tuple[int | None, int, int] = (None, 0, 0)
    _years: dict[int, tuple[list[int], list[tuple[int, ...]]]]
    _midnights: dict[int, tuple[int, int]]

    def __init__(self, zones: Iterable[Zone] = (), /) -> None:
        """Take the *zones*."""
        self._years = {}
        self._midnights = {}

    def days_at(self, us: int) -> tuple[int, int]:
        """Return the first and the last of the local days on which the instant falls; there must be a zone."""
        known, first, last = self._days
        if known != us:
            offsets = self.steady(us)[2]
            first, last = (us + offsets[0]) // DAY + EPOCH_DAY, (us + offsets[-1]) // DAY + EPOCH_DAY
            self._days = us, first, last
        return first, last

    def steady(self, us: int) -> tuple[int, int, tuple[int, ...]]:
        """Return from when to when around *us* no zone changes its offset, within its UTC year, and the offsets.

        The offsets are those that differ, in order.
        """
        year = _year_of(us)
        if (known := self._years.get(year)) is None:
            known = self._years[year] = self._merge(year)
        starts, offsets = known
        index = bisect_right(starts, us) - 1
        return starts[index], starts[index + 1], offsets[index]

    def midnights(self, day: int) -> tuple[int, int]:
        """Return when the local *day* begins in the first of the zones, and when in the last."""
        if (known := self._midnights.get(day)) is None:
            found = [zone.midnight(day) for zone in self]
            known = self._midnights[day] = min(found), max(found)
        return known

    def _merge(self, year: int) -> tuple[list[int], list[tuple[int, ...]]]:
        years = [zone.year(year) for zone in self]
        starts = sorted({start for changes, _ in years for start in changes})
        found = [
            tuple(sorted({offsets[bisect_right(changes, start) - 1] for changes, offsets in years})) for start in starts
        ]
        return [*starts, _year_start(year + 1)], found


@lru_cache(maxsize=1024)  # The tz database has about 600 names.
def zone(name: str) -> Zone:
    """Return the one `Zone` of *name*."""
    return Zone(name)


@lru_cache(maxsize=512)
def _year_start(year: int) -> int:
    return (date(year, 1, 1).toordinal() - EPOCH_DAY) * DAY


@lru_cache(maxsize=65_536)
def _year_of_day(day: int) -> int:
    return date.fromordinal(day).year


def _year_of(us: int) -> int:
    return _year_of_day(us // DAY + EPOCH_DAY)
