"""Counting what holds leads back: index-only scans, and small samples drawn by lot."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.dialer.domain.leads import Lead
from services.dialer.domain.obstacles import STEP, DoneCount, HeldCount, TrunkUse
from services.dialer.ports import Footing
from services.dialer.store import rows
from services.dialer.store.pools import DialerStore
from services.runtime import postgres
from services.runtime.errors import NotFoundError
from services.runtime.ids import NewId
from services.runtime.outbox import OutboxSignal
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")

FEW = 5_000
"""From up to so many leads a sample is drawn by sorting them all."""

EXTRA = 1.5
"""Pages hold unequal numbers of leads, so a sample is drawn from somewhat more pages than should do."""


class CountingStore(DialerStore):
    """Fits `ObstacleStore`."""

    def __init__(self, pool: postgres.Pool, new_id: NewId, wake: OutboxSignal) -> None:
        """Use *pool*."""
        super().__init__(pool, new_id, wake)
        self._connections = pool

    async def load_footing(self, campaign_id: UUID) -> Footing:
        """Return lease, lines, trunk and the last decision of pacing."""
        async with postgres.transaction(self._connections) as conn:
            row = await conn.fetchrow(SQL["campaign_standing"], campaign_id)
        if row is None:
            raise NotFoundError("There is no such campaign.")
        trunk = None
        if row["channels"] is not None:
            trunk = TrunkUse(
                channels_used=row["channels_used"],
                channels=row["channels"],
                spent_micros=row["spent_micros"],
                cost_micros=row["cost_per_attempt_micros"],
                spend_cap_micros=row["spend_cap_micros"],
            )
        return Footing(bool(row["owned"]), row["lines"], trunk, row["pacing"])

    async def count_held(self, campaign_id: UUID, now: datetime, steps: Sequence[datetime]) -> list[HeldCount]:
        """Return the waiting leads by what holds them and the first step at which their time has come."""
        base, step_s = steps[1] - STEP, int(STEP.total_seconds())
        async with postgres.transaction(self._connections) as conn:
            # Groups are few, which the planner cannot know: without room to hash them it sorts a million leads on disk.
            await conn.execute("SET LOCAL work_mem = '64MB'")
            found = await conn.fetch(SQL["lead_outlook"], campaign_id, now, base, step_s, len(steps) - 1)
        return [HeldCount(r["held_by"], r["step"], r["leads"], r["first_at"], r["message"]) for r in found]

    async def count_done(self, campaign_id: UUID) -> list[DoneCount]:
        """Return the leads that do not wait."""
        async with postgres.transaction(self._connections) as conn:
            found = await conn.fetch(SQL["lead_done"], campaign_id)
        return [DoneCount(r["state"], r["result"], r["held_by"], r["leads"]) for r in found]

    async def sample_leads(
        self, campaign_id: UUID, after: datetime, until: datetime, *, among: int, limit: int
    ) -> list[Lead]:
        """Return leads that wait for a call in (*after*, *until*], drawn by lot from about *among* of them."""
        if among == 0:
            return []
        wanted = (campaign_id, after, until, limit)
        async with postgres.transaction(self._connections) as conn:
            if among > FEW:
                # Whole pages are drawn; leads of a page joined together, which makes them alike only by chance.
                found = await conn.fetch(SQL["lead_sample_sparse"], *wanted, min(100, 100 * EXTRA * limit / among))
            else:
                found = await conn.fetch(SQL["lead_sample"], *wanted)
        return [rows.lead_from(r) for r in found]
