"""Public holidays of a jurisdiction, by local day."""

from functools import lru_cache

import holidays

from services.dialer.domain.gate.facts import Proclaimed


@lru_cache(maxsize=4096)  # A few dozen calendars, each for a few years.
def public_holidays(calendar: str, year: int) -> frozenset[int]:
    """Return the ordinals of *calendar*'s public holidays in *year*, observed days included.

    *calendar* is a country (`FR`) or a subdivision (`US-LA`) that the `holidays` library knows.
    """
    country, _, subdivision = calendar.partition("-")
    listed = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    return frozenset(day.toordinal() for day in listed if day.year == year)


def is_calendar(calendar: str) -> bool:
    """Tell whether the `holidays` library knows *calendar*."""
    country, _, subdivision = calendar.partition("-")
    known = holidays.list_supported_countries()
    return country in known and (not subdivision or subdivision in known[country])


def proclaimed_days(calendar: str, proclaimed: tuple[Proclaimed, ...]) -> frozenset[int]:
    """Return the days proclaimed for *calendar*: its own, and those of the country it belongs to."""
    country = calendar.partition("-")[0]
    return frozenset(p.on.toordinal() for p in proclaimed if p.jurisdiction in (calendar, country))
