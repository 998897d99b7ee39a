"""Results of comparing numbers with do-not-call lists, on PostgreSQL."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from uuid import UUID

from services.dialer.domain.gate.facts import DoNotCallList
from services.dialer.ports import ScrubImport
from services.runtime import postgres
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")


class ScrubStore:
    """Fits `ports.ScrubStore`."""

    def __init__(self, pool: postgres.Pool) -> None:
        """Use *pool*."""
        self._pool = pool

    async def save(
        self, name: DoNotCallList, version_on: date, listed: Mapping[str, bool], now: datetime, by: UUID | None
    ) -> ScrubImport:
        """Keep whether numbers, by digest, stand on a version of a list, and who said so."""
        digests = sorted(listed)
        stands = [listed[digest] for digest in digests]
        async with postgres.transaction(self._pool) as conn:
            kept = await conn.fetchval(SQL["scrub_save"], name, version_on, digests, stands)
            counts = len(digests), sum(stands), len(digests) - kept
            number = await conn.fetchval(SQL["scrub_import_insert"], name, version_on, *counts, now, by)
        return ScrubImport(number, name, version_on, *counts, now, by)

    async def list_imports(self, before: int, limit: int) -> list[ScrubImport]:
        """Return what was imported, newest first."""
        async with postgres.single(self._pool) as conn:
            return [ScrubImport(**row) for row in await conn.fetch(SQL["scrub_import_list"], before, limit)]

    async def ask_again(self, rules: Collection[str], now: datetime, limit: int) -> int:
        """Let leads that one of *rules* has put off be due at once, at most *limit* of them; return how many."""
        async with postgres.single(self._pool) as conn:
            return len(await conn.fetch(SQL["lead_ask_again"], sorted(rules), now, limit))
