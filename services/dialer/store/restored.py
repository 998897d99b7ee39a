"""What the carrier has rung and this database does not know, and the people who are held back for it."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from services.dialer.ports import FoundRings, Ring
from services.runtime import postgres
from services.runtime.phone import E164
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")


class RestoredStore:
    """Fits `RingStore`, and answers the people who decide; *digest* is how numbers are told apart here."""

    def __init__(self, pool: postgres.Pool, digest: Callable[[E164], str]) -> None:
        """Use *pool*."""
        self._pool = pool
        self._digest = digest

    async def ledger_position(self) -> int:
        """Return how far the ledger was read."""
        async with postgres.single(self._pool) as conn:
            return await conn.fetchval(SQL["ledger_position"])

    async def keep_rings(self, rings: Sequence[Ring], begin: int, end: int) -> FoundRings:
        """Hold back whoever rang without an attempt of ours, and note that the ledger was read on."""
        async with postgres.transaction(self._pool) as conn:
            known = {row["id"] for row in await conn.fetch(SQL["attempt_list_known"], [ring.id for ring in rings])}
            unknown = {ring.id: ring for ring in rings if ring.id not in known}
            found, leads = [], []
            if unknown:
                columns = zip(*((r.id, self._digest(r.number), r.at) for r in unknown.values()), strict=True)
                found = await conn.fetch(SQL["unknown_ring_insert"], *map(list, columns))
            if found:
                leads = await conn.fetch(SQL["lead_hold_restored"], None)
            await conn.execute(SQL["ledger_position_save"], begin, end)
        return FoundRings(len(found), len(leads))

    async def restored(self) -> dict[str, Any]:
        """Return what nobody has decided about yet: calls, and the leads held back for them by campaign."""
        async with postgres.transaction(self._pool) as conn:
            counts = await conn.fetchrow(SQL["unknown_ring_counts"])
            campaigns = await conn.fetch(SQL["lead_count_restored"])
        return {**dict(counts or {}), "campaigns": [dict(row) for row in campaigns]}

    async def release(self, campaign_id: UUID | None, by: UUID | None) -> int:
        """Let the leads of a campaign go on, or all and whoever is enrolled later; return how many there were."""
        async with postgres.transaction(self._pool) as conn:
            released = await conn.fetch(SQL["lead_release_restored"], campaign_id)
            if campaign_id is None:
                await conn.execute(SQL["unknown_ring_release"], by)
        return len(released)


async def hold_enrolled(conn: Connection, lead_ids: Sequence[UUID]) -> None:
    """Hold back those of the new leads whose numbers have unknown rings, in the caller's transaction."""
    await conn.execute(SQL["lead_hold_restored"], list(lead_ids))
