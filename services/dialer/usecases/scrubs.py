"""Do-not-call lists: what the organisation found when it compared its numbers with them.

Galw holds none of these lists: who subscribes to one compares numbers there and brings the result. A number is called
under a rule that needs the list only while the result is as young as the rule wants it.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import get_args
from uuid import UUID

from services.dialer.domain.gate import Packs
from services.dialer.domain.gate.facts import DoNotCallList
from services.dialer.domain.gate.packs import NeedScrub
from services.dialer.ports import ScrubImport, ScrubStore
from services.runtime.errors import FieldProblem, NotFoundError, RejectedError
from services.runtime.phone import E164

LISTS: tuple[DoNotCallList, ...] = tuple(name for name in get_args(DoNotCallList) if name != "internal")
"""The lists others keep; `internal` is our own, and is live."""

WOKEN = 20_000
"""Leads let go with each import; the others that wait for a list are asked again within the hour."""

Digest = Callable[[E164], str]


def find_list(name: str) -> DoNotCallList:
    """Return the list of this name; raises `NotFoundError`."""
    for known in LISTS:
        if known == name:
            return known
    raise NotFoundError(f"No do-not-call list is named {name!r}; there are {', '.join(LISTS)}.")


async def import_scrub(
    store: ScrubStore,
    packs: Packs,
    digest: Digest,
    name: DoNotCallList,
    version_on: date,
    results: Iterable[tuple[E164, bool]],
    now: datetime,
    by: UUID | None,
) -> tuple[ScrubImport, int]:
    """Keep which numbers a version of a list names and which not; return that, and how many leads go on now.

    A number given twice is listed if it is once. Raises `RejectedError` for a version that is not out yet.
    """
    if version_on > (now + timedelta(hours=14)).date():  # Somewhere on earth it may be that day already.
        raise RejectedError(
            "This version of the list is not out yet.",
            fields=(FieldProblem("version_on", "expected the day of the list's version, today at the latest"),),
        )
    listed: dict[str, bool] = {}
    for number, stands in results:
        key = digest(number)
        listed[key] = stands or listed.get(key, False)
    kept = await store.save(name, version_on, listed, now, by)
    rules = [rule.id for pack in packs.in_force for rule in pack.rules if _needs(rule.effect, name)]
    return kept, await store.ask_again(rules, now, WOKEN)


def _needs(effect: object, name: DoNotCallList) -> bool:
    return isinstance(effect, NeedScrub) and name in effect.lists
