"""What a batch that did not fit at once begins with: its rows locked in one order, then what forbids a call is read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.dialer.store.rows import Row
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")


async def lock_rows(
    conn: Connection,
    contacts: Iterable[UUID],
    attempts: Iterable[UUID],
    operators: Iterable[UUID],
    leads: Iterable[UUID],
    pools: Iterable[UUID],
) -> Sequence[Row]:
    """Lock these rows in the one order that all batches keep; returns what `commit_lock` does."""
    return await conn.fetch(
        SQL["commit_lock"], sorted(contacts), sorted(attempts), sorted(operators), sorted(leads), sorted(pools)
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What forbids a call besides the person, and the present revisions of responses; *now* is the database's time."""

    numbers: frozenset[str]
    stops: frozenset[tuple[str, str]]
    campaigns: Mapping[UUID, str]
    revisions: Mapping[UUID, int]
    now: datetime


async def read_standing(
    conn: Connection, digests: Iterable[str], campaigns: Iterable[UUID], calls: Iterable[UUID] = ()
) -> Standing:
    """Read what a batch is judged on, under its locks."""
    found: dict[str, list[Row]] = {}
    for row in await conn.fetch(SQL["commit_standing"], sorted(calls), sorted(digests), sorted(campaigns)):
        found.setdefault(row["kind"], []).append(row)
    return Standing(
        numbers=frozenset(row["key"] for row in found.get("number", ())),
        stops=frozenset((row["key"], row["value"]) for row in found.get("stop", ())),
        campaigns={UUID(row["key"]): row["value"] for row in found.get("campaign", ())},
        revisions={UUID(row["key"]): int(row["value"]) for row in found.get("response", ())},
        now=found["clock"][0]["at"],
    )
