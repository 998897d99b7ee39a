"""The dialer's store on PostgreSQL: what the owner of a pool and an operator's commands read and write."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.leads import Lead, Stream
from services.dialer.domain.operators import Operator
from services.dialer.domain.scripts import Script
from services.dialer.ports import (
    Change,
    Committed,
    Conflict,
    DiaryEntry,
    Fence,
    GateHistory,
    Lease,
    PoolView,
    Refusal,
    Reservation,
    Safety,
    StoredCall,
)
from services.dialer.store import rows
from services.dialer.store.batch import commit_batch
from services.dialer.store.commit import commit_changes
from services.dialer.store.reserve import reserve_attempts
from services.events.topics import PARTITIONS
from services.runtime import postgres
from services.runtime.errors import NotFoundError
from services.runtime.ids import NewId
from services.runtime.outbox import OutboxSignal
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")
DIARY_KEPT = timedelta(hours=1)
NO_OPERATOR = "You are not an operator of any pool; ask a supervisor to add you to one."


class DialerStore:
    """Fits `PoolStore` and `DeskStore`; what a method writes is one transaction."""

    def __init__(self, pool: postgres.Pool, new_id: NewId, wake: OutboxSignal) -> None:
        """Use *pool*; *wake* is set after each commit that may have announced something."""
        self._pool = pool
        self._new_id = new_id
        self._wake = wake
        # Scripts are never edited, so a version once read stays right; a few hundred fit easily.
        self._scripts: dict[tuple[UUID, int], Script] = {}
        # Checking a plan costs more than reading it; whoever changes a campaign raises its version.
        self._campaigns: dict[UUID, Campaign] = {}

    async def acquire_lease(self, pool_id: UUID, owner: UUID, address: str) -> Lease | None:
        """Take a pool whose lease has run out, in a new epoch; None when somebody holds it."""
        row = await self._row("lease_acquire", pool_id, owner, address)
        return None if row is None else Lease(Fence(pool_id, row["epoch"]), row["database_at"])

    async def renew_lease(self, fence: Fence, owner: UUID) -> Lease | None:
        """Prolong the lease by its time to live; None when it is lost."""
        row = await self._row("lease_renew", fence.pool_id, fence.epoch, owner)
        return None if row is None else Lease(fence, row["database_at"])

    async def release_lease(self, fence: Fence, owner: UUID) -> None:
        """Give the pool back at once."""
        await self._row("lease_release", fence.pool_id, fence.epoch, owner)

    async def list_leases(self) -> list[tuple[UUID, UUID | None, str, bool]]:
        """Return every pool with its owner, the owner's address and whether it is held now."""
        return [(r["pool_id"], r["owner"], r["address"], r["held"]) for r in await self._rows("lease_list")]

    async def beat(self, instance_id: UUID, address: str) -> dict[UUID, str]:
        """Note that this instance is alive and return all that are, with their addresses."""
        async with postgres.single(self._pool) as conn:
            await conn.execute(SQL["dialer_beat"], instance_id, address)
            return {r["id"]: r["address"] for r in await conn.fetch(SQL["dialer_list"])}

    async def load_pool(self, pool_id: UUID) -> PoolView:
        """Return the pool with its running and paused campaigns and its operators who are not offline."""
        async with postgres.single(self._pool) as conn:
            pool = await conn.fetchrow(SQL["pool_load"], pool_id)
            campaigns = await conn.fetch(SQL["campaign_list_live"], pool_id)
            operators = await conn.fetch(SQL["operator_list_present"], pool_id)
            alive = {r["id"] for r in await conn.fetch(SQL["dialer_list"])}
        if pool is None:
            raise NotFoundError("There is no such pool.")
        holders = {r["instance_id"] for r in operators if r["instance_id"] is not None}
        return PoolView(
            rows.pool_from(pool),
            tuple(self._campaign_from(r) for r in campaigns),
            tuple(rows.operator_from(r) for r in operators),
            frozenset(holders - alive),
        )

    async def load_operators(self, operator_ids: Sequence[UUID]) -> list[Operator]:
        """Return these operators, whatever their state; unknown ids are left out."""
        return [rows.operator_from(r) for r in await self._rows("operator_list", list(operator_ids))]

    async def load_operator(self, operator_id: UUID) -> Operator:
        """Return an operator; raises `NotFoundError`."""
        found = await self.load_operators([operator_id])
        if not found:
            raise NotFoundError(NO_OPERATOR)
        return found[0]

    async def load_live_attempts(self, pool_id: UUID) -> list[Attempt]:
        """Return the pool's attempts that have not ended."""
        return [rows.attempt_from(r) for r in await self._rows("attempt_list_live", pool_id)]

    async def load_attempt(self, attempt_id: UUID) -> Attempt:
        """Return an attempt; raises `NotFoundError`."""
        return rows.attempt_from(await self._one("attempt_load", attempt_id, what="call"))

    async def load_lead(self, lead_id: UUID) -> Lead:
        """Return a lead; raises `NotFoundError`."""
        return rows.lead_from(await self._one("lead_load", lead_id, what="lead"))

    async def load_campaign(self, campaign_id: UUID) -> Campaign:
        """Return a campaign in any state; raises `NotFoundError`."""
        return self._campaign_from(await self._one("campaign_load", campaign_id, what="campaign"))

    async def load_script(self, script_id: UUID, version: int) -> Script:
        """Return one version of a script; raises `NotFoundError`."""
        script = self._scripts.get((script_id, version))
        if script is None:
            row = await self._one("script_load", script_id, version, what="script version")
            script = self._scripts[script_id, version] = Script.model_validate(row["body"])
        return script

    async def load_call(self, attempt_id: UUID) -> StoredCall:
        """Return a call with all that is about it; raises `NotFoundError`."""
        return self._call_from(await self._one("call_load", attempt_id, what="call"))

    async def load_desk(self, operator_id: UUID) -> tuple[Operator, StoredCall | None]:
        """Return an operator with the call on their screen; raises `NotFoundError`."""
        row = await self._row("desk_load", operator_id)
        if row is None:
            raise NotFoundError(NO_OPERATOR)
        return rows.operator_from(row["operator"]), self._call_from(row) if row["attempt"] is not None else None

    def _call_from(self, row: rows.Row) -> StoredCall:
        return StoredCall(
            rows.attempt_from(row["attempt"]),
            rows.lead_from(row["lead"]),
            self._campaign_from(row["campaign"]),
            rows.response_from(row["response"]) if row["response"] is not None else None,
        )

    def _campaign_from(self, row: rows.Row) -> Campaign:
        known = self._campaigns.get(row["id"])
        if known is None or known.version != row["version"]:
            known = self._campaigns[row["id"]] = rows.campaign_from(row)
        return known

    async def list_due_leads(self, campaign_id: UUID, stream: Stream, now: datetime, limit: int) -> list[Lead]:
        """Return the next leads of a queue, by priority, then by time; each priority is one range of the index."""
        found: list[Lead] = []
        async with postgres.single(self._pool) as conn:
            for level in await conn.fetch(SQL["lead_priorities"], campaign_id, int(stream)):
                wanted = limit - len(found)
                if wanted <= 0:
                    break
                args = (campaign_id, int(stream), level["priority"], now, wanted)
                found += [rows.lead_from(r) for r in await conn.fetch(SQL["lead_list_due"], *args)]
        return found

    async def load_history(self, leads: Sequence[Lead], since: datetime, now: datetime) -> list[GateHistory]:
        """Return what the gate must know of each lead at *now*, in order; of attempts, those after *since*."""
        contacts = sorted({lead.contact_id for lead in leads})
        digests = sorted({phone.digest for lead in leads for phone in lead.phones})
        campaigns = sorted({lead.campaign_id for lead in leads})
        people = {r["contact_id"]: r for r in await self._rows("person_history", contacts, since, digests)}
        standing = await self._row("lead_standing", digests, campaigns, now)
        assert standing is not None
        scrubs, records = rows.scrubs_from(standing), rows.records_from(standing)
        return [
            rows.history_from(
                people[lead.contact_id],
                lead.phone.digest,
                scrubs.get(lead.phone.digest, {}),
                records[lead.campaign_id],
            )
            for lead in leads
        ]

    async def load_safety(self) -> Safety:
        """Return what may forbid dialing as a whole."""
        async with postgres.single(self._pool) as conn:
            oldest = await conn.fetchval(SQL["watermark_oldest"], PARTITIONS)
            stops = await conn.fetch(SQL["stop_list"])
            trunks = await conn.fetch(SQL["trunk_rates"])
        return Safety(
            consents_at=oldest,
            stopped_all=any(r["scope"] == "all" for r in stops),
            stopped_campaigns=frozenset(UUID(r["target"]) for r in stops if r["scope"] == "campaign"),
            stopped_trunks=frozenset(r["target"] for r in stops if r["scope"] == "trunk"),
            spacing_s={r["id"]: 1 / r["calls_per_second"] for r in trunks},
        )

    async def load_pacing(self, pool_id: UUID) -> dict[str, Any] | None:
        """Return what pacing learned under the last owner."""
        row = await self._row("pacing_load", pool_id)
        return None if row is None else row["state"]

    async def save_pacing(self, fence: Fence, state: Mapping[str, Any], diary: Sequence[DiaryEntry]) -> None:
        """Store what pacing learned and new entries of its diary, unless the fence no longer holds."""
        async with postgres.transaction(self._pool) as conn:
            if await conn.fetchval(SQL["pacing_save"], fence.pool_id, fence.epoch, dict(state)) is None or not diary:
                return
            columns = zip(*((e.at, e.dial, e.explain, e.shadow) for e in diary), strict=True)
            await conn.execute(SQL["pacing_diary_add"], fence.pool_id, *map(list, columns))
            await conn.execute(SQL["pacing_diary_forget"], fence.pool_id, diary[-1].at - DIARY_KEPT)

    async def reserve(self, reservations: Sequence[Reservation]) -> list[Attempt | Refusal]:
        """Insert attempts under lock, each with every cap, limit and suppression checked; answers in order."""
        now = max(r.attempt.reserved_at for r in reservations)
        async with postgres.transaction(self._pool) as conn:
            return await reserve_attempts(conn, reservations, now)

    async def commit(self, changes: Sequence[Change]) -> list[Committed | Conflict]:
        """Store independent changes in one transaction, each wholly or not at all; answers in order."""
        async with postgres.single(self._pool) as conn:
            at = await commit_batch(conn, changes, new_id=self._new_id)
        if at is not None:
            self._wake.set()
            return [Committed(at)] * len(changes)
        async with postgres.transaction(self._pool, self._wake) as conn:
            return await commit_changes(conn, changes, new_id=self._new_id)

    async def _rows(self, name: str, *args: object) -> Sequence[rows.Row]:
        async with postgres.single(self._pool) as conn:
            return await conn.fetch(SQL[name], *args)

    async def _row(self, name: str, *args: object) -> rows.Row | None:
        async with postgres.single(self._pool) as conn:
            return await conn.fetchrow(SQL[name], *args)

    async def _one(self, name: str, *args: object, what: str) -> rows.Row:
        row = await self._row(name, *args)
        if row is None:
            raise NotFoundError(f"There is no such {what}.")
        return row
