"""When a callback is due that was agreed in the person's own time."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from services.runtime.errors import FieldProblem, RejectedError


def instant_of(local: str, zones: Iterable[str]) -> datetime:
    """Return the instant at which clocks show *local* (such as `2026-11-24T15:00`) in each of *zones*.

    Of a time that a clock shows twice the first is meant. Raises `RejectedError` naming `call_back_local` when the
    time does not exist, no zone is known, or the zones disagree.
    """
    try:
        wall = datetime.fromisoformat(local)
    except ValueError:
        raise _refused("there is no such day or time; expected one such as 2026-11-24T15:00") from None
    found: dict[datetime, str] = {}
    for name in zones:
        found.setdefault(_in_zone(wall, name), name)
    if not found:
        raise _refused("this person's time zone is not known; send call_back_at with an offset")
    if len(found) > 1:
        names = " and ".join(sorted(found.values()))
        raise _refused(f"the person may be in {names}, where this is not the same moment; send call_back_at instead")
    return next(iter(found))


def _in_zone(wall: datetime, name: str) -> datetime:
    try:
        instant = wall.replace(tzinfo=ZoneInfo(name)).astimezone(UTC)
    except OverflowError:
        raise _refused("this is at the end of the calendar; choose another") from None
    if instant.astimezone(ZoneInfo(name)).replace(tzinfo=None) != wall:
        raise _refused(f"clocks in {name} skip this time on that day; choose another")
    return instant


def _refused(problem: str) -> RejectedError:
    return RejectedError("When should they be called back?", fields=(FieldProblem("call_back_local", problem),))
