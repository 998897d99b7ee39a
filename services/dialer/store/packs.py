"""Rule packs and stored decisions on PostgreSQL."""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.dialer.domain.leads import Lead
from services.dialer.ports import Decided, KeptPack, PackChange
from services.dialer.store import rows
from services.events.envelope import Event
from services.runtime import outbox, postgres
from services.runtime.errors import ConflictError, NotFoundError
from services.runtime.ids import NewId
from services.runtime.outbox import OutboxSignal
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")


class PackStore:
    """Fits `ports.PackStore`; every method is one transaction."""

    def __init__(self, pool: postgres.Pool, new_id: NewId, wake: OutboxSignal) -> None:
        """Use *pool*; *wake* is set after each commit that announced something."""
        self._pool = pool
        self._new_id = new_id
        self._wake = wake

    async def keep_shipped(self, packs: Sequence[KeptPack], numbers: tuple[str, bytes], now: datetime) -> list[str]:
        """Keep what ships; return the packs whose version is kept already with another text."""
        columns = [p.id for p in packs], [p.version for p in packs], [p.body for p in packs]
        async with postgres.transaction(self._pool) as conn:
            await conn.execute(SQL["pack_keep"], *columns, True, now, None)
            await conn.execute(SQL["number_table_keep"], numbers[0], zlib.compress(numbers[1]), now)
            kept = {r["id"]: r["body"] for r in await conn.fetch(SQL["pack_list_kept"], *columns[:2])}
        return [f"{pack.id} {pack.version}" for pack in packs if kept[pack.id] != pack.body]

    async def list_in_force(self) -> tuple[int, list[KeptPack]]:
        """Return the number of the newest change, and the organisation's packs in force after it or a later one."""
        async with postgres.transaction(self._pool) as conn:
            number = await conn.fetchval(SQL["pack_newest_change"])
            found = await conn.fetch(SQL["pack_list_in_force"])
        return number, [KeptPack(**r) for r in found]

    async def newest_change(self) -> int:
        """Return the number of the newest change."""
        async with postgres.transaction(self._pool) as conn:
            return await conn.fetchval(SQL["pack_newest_change"])

    async def put(self, pack: KeptPack, before: str | None, now: datetime, by: UUID | None, fact: Event) -> int:
        """Keep *pack*, put it in force in place of version *before*, announce it; return the change's number.

        Raises `ConflictError` when the version is kept with another text: one that decided is never changed.
        """
        async with postgres.transaction(self._pool, self._wake) as conn:
            await conn.execute(SQL["pack_lock"])
            await conn.execute(SQL["pack_keep"], [pack.id], [pack.version], [pack.body], False, now, by)
            (kept,) = await conn.fetch(SQL["pack_list_kept"], [pack.id], [pack.version])
            if kept["body"] != pack.body:
                raise ConflictError(
                    f"{pack.id} {pack.version} is another text already: give the new one a new version."
                )
            await conn.execute(SQL["pack_put"], pack.id, pack.version)
            number = await conn.fetchval(SQL["pack_change_insert"], pack.id, before, pack.version, now, by)
            await outbox.append(conn, "dialer", [fact], now=now, new_id=self._new_id)
        return number

    async def retire(self, pack_id: str, after: str | None, now: datetime, by: UUID | None, fact: Event) -> int:
        """Take the organisation's pack out of force, *after* (what ships) takes its place; announce it."""
        async with postgres.transaction(self._pool, self._wake) as conn:
            await conn.execute(SQL["pack_lock"])
            before = await conn.fetchval(SQL["pack_retire"], pack_id)
            if before is None:
                raise NotFoundError(f"No pack {pack_id!r} of the organisation is in force.")
            number = await conn.fetchval(SQL["pack_change_insert"], pack_id, before, after, now, by)
            await outbox.append(conn, "dialer", [fact], now=now, new_id=self._new_id)
        return number

    async def list_kept(self, versions: Iterable[tuple[str, str]]) -> list[KeptPack]:
        """Return packs by id and version; those never kept are left out."""
        wanted = sorted(versions)
        async with postgres.transaction(self._pool) as conn:
            found = await conn.fetch(SQL["pack_list_kept"], [w[0] for w in wanted], [w[1] for w in wanted])
        return [KeptPack(**r) for r in found]

    async def load_numbers(self, version: str) -> bytes | None:
        """Return a number table by its version, None when it was never in force."""
        async with postgres.transaction(self._pool) as conn:
            body = await conn.fetchval(SQL["number_table_load"], version)
        return None if body is None else zlib.decompress(body)

    async def list_changes(self, before: int, limit: int) -> list[PackChange]:
        """Return what was put in force or retired, newest first."""
        async with postgres.transaction(self._pool) as conn:
            found = await conn.fetch(SQL["pack_change_list"], before, limit)
        return [PackChange(**r) for r in found]

    async def load_decided(self, attempt_id: UUID) -> Decided:
        """Return an attempt's stored decision; raises `NotFoundError`."""
        async with postgres.transaction(self._pool) as conn:
            row = await conn.fetchrow(SQL["attempt_load"], attempt_id)
        if row is None:
            raise NotFoundError("There is no such attempt.")
        return _decided(row)

    async def list_decided(
        self, after: tuple[datetime, UUID], before: datetime, campaign_id: UUID | None, limit: int
    ) -> list[Decided]:
        """Return stored decisions, oldest first, after an attempt's instant and id."""
        async with postgres.transaction(self._pool) as conn:
            found = await conn.fetch(SQL["attempt_list_decided"], *after, before, campaign_id, limit)
        return [_decided(row) for row in found]

    async def list_waiting(self, campaign_id: UUID, after: UUID, limit: int) -> list[Lead]:
        """Return a campaign's waiting leads after an id."""
        async with postgres.transaction(self._pool) as conn:
            found = await conn.fetch(SQL["lead_list_waiting"], campaign_id, after, limit)
        return [rows.lead_from(row) for row in found]


def _decided(row: rows.Row) -> Decided:
    return Decided(row["id"], row["campaign_id"], row["reserved_at"], row["decision"])
