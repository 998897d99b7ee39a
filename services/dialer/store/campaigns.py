"""Campaigns, scripts, pools, trunks and stops on PostgreSQL."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.operators import Operator
from services.dialer.domain.scripts import Script
from services.dialer.ports import DiaryEntry, Edit, Pool, StoredScript
from services.dialer.store import rows
from services.events.envelope import Event
from services.runtime import outbox, postgres
from services.runtime.errors import ConflictError, NotFoundError, PreconditionError
from services.runtime.ids import NewId
from services.runtime.outbox import OutboxSignal
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")


class CampaignStore:
    """What marketing reads and writes; every method is one transaction."""

    def __init__(self, pool: postgres.Pool, new_id: NewId, wake: OutboxSignal) -> None:
        """Use *pool*; *wake* is set after each commit that announced something."""
        self._pool = pool
        self._new_id = new_id
        self._wake = wake

    async def save_script(
        self, script_id: UUID, name: str, script: Script, now: datetime, by: UUID | None, *, first: bool
    ) -> int:
        """Keep a new version of a script and return its number; *first* makes a new script."""
        try:
            async with postgres.transaction(self._pool) as conn:
                newest = await conn.fetchrow(SQL["script_latest"], script_id)
                if newest is None and not first:
                    raise NotFoundError("There is no such script.")
                version = 1 if newest is None else newest["version"] + 1
                body = script.model_dump(mode="json")
                await conn.execute(SQL["script_insert"], script_id, version, name, body, now, by)
        except asyncpg.UniqueViolationError as error:
            raise ConflictError("Somebody else wrote a version at the same moment; read it and try again.") from error
        return version

    async def load_script_version(self, script_id: UUID, version: int | None) -> StoredScript:
        """Return one version of a script, the newest by default."""
        async with postgres.transaction(self._pool) as conn:
            row = await conn.fetchrow(SQL["script_find"], script_id, version)
        if row is None:
            raise NotFoundError("There is no such script, or no such version of it.")
        script = Script.model_validate(row["body"])
        return StoredScript(row["id"], row["version"], row["name"], script, row["created_at"])

    async def list_scripts(self, after: tuple[str, UUID], limit: int) -> list[tuple[UUID, int, str, datetime]]:
        """Return the newest versions by name, after a name and id."""
        async with postgres.transaction(self._pool) as conn:
            found = await conn.fetch(SQL["script_list"], *after, limit)
        return [(r["id"], r["version"], r["name"], r["created_at"]) for r in found]

    async def insert_campaign(self, campaign: Campaign, by: UUID | None, facts: tuple[Event, ...]) -> None:
        """Keep a new draft; raises `NotFoundError` when its pool or script does not exist."""
        try:
            async with postgres.transaction(self._pool, self._wake) as conn:
                await conn.execute(
                    SQL["campaign_insert"],
                    campaign.id,
                    campaign.name,
                    campaign.pool_id,
                    campaign.script_id,
                    campaign.script_version,
                    campaign.audience_id,
                    campaign.plan.model_dump(mode="json"),
                    campaign.created_at,
                )
                await self._record(conn, None, Edit("created", campaign, facts), by, campaign.created_at)
        except asyncpg.ForeignKeyViolationError as error:
            raise NotFoundError("The pool or the script version does not exist.") from error
        except asyncpg.UniqueViolationError as error:
            raise ConflictError("This campaign was created already.") from error

    async def edit_campaign(
        self,
        campaign_id: UUID,
        expected_version: int | None,
        edit: Callable[[Campaign], Awaitable[Edit]],
        now: datetime,
        by: UUID | None,
    ) -> Campaign:
        """Change a campaign under lock as *edit* says; raises `PreconditionError` when its version is another."""
        try:
            async with postgres.transaction(self._pool, self._wake) as conn:
                row = await conn.fetchrow(SQL["campaign_lock"], campaign_id)
                if row is None:
                    raise NotFoundError("There is no such campaign.")
                before = rows.campaign_from(row)
                if expected_version is not None and before.version != expected_version:
                    raise PreconditionError(f"The campaign is at version {before.version} now; read it again.")
                made = await edit(before)
                after = replace(made.after, version=before.version + 1)
                await conn.execute(SQL["campaign_update"], *_columns(after))
                await self._record(conn, before, replace(made, after=after), by, now)
                return after
        except asyncpg.ForeignKeyViolationError as error:
            raise NotFoundError("The pool or the script version does not exist.") from error

    async def _record(
        self, conn: Connection, before: Campaign | None, edit: Edit, by: UUID | None, now: datetime
    ) -> None:
        shown = None if before is None else _shown(before)
        after = _shown(edit.after)
        await conn.execute(
            SQL["campaign_change_insert"], edit.after.id, edit.after.version, edit.change, shown, after, now, by
        )
        await outbox.append(conn, "dialer", edit.facts, now=now, new_id=self._new_id)

    async def load_campaign(self, campaign_id: UUID) -> Campaign:
        """Return a campaign."""
        async with postgres.transaction(self._pool) as conn:
            row = await conn.fetchrow(SQL["campaign_load"], campaign_id)
        if row is None:
            raise NotFoundError("There is no such campaign.")
        return rows.campaign_from(row)

    async def list_campaigns(self, before: UUID, limit: int) -> list[Campaign]:
        """Return campaigns, newest first, made before *before*."""
        async with postgres.transaction(self._pool) as conn:
            return [rows.campaign_from(r) for r in await conn.fetch(SQL["campaign_list"], before, limit)]

    async def list_changes(self, campaign_id: UUID, before: int, limit: int) -> list[dict[str, Any]]:
        """Return who changed what, newest first."""
        async with postgres.transaction(self._pool) as conn:
            return [dict(r) for r in await conn.fetch(SQL["campaign_change_list"], campaign_id, before, limit)]

    async def load_progress(self, campaign_id: UUID, now: datetime, since: datetime) -> tuple[list[Any], list[Any]]:
        """Return how leads stand and how attempts since *since* ended, as rows of counts."""
        async with postgres.transaction(self._pool) as conn:
            leads = await conn.fetch(SQL["campaign_progress"], campaign_id, now)
            outcomes = await conn.fetch(SQL["campaign_outcomes"], campaign_id, since)
        return [dict(r) for r in leads], [dict(r) for r in outcomes]

    async def list_attempts(self, campaign_id: UUID, before: UUID, limit: int) -> list[Any]:
        """Return a campaign's attempts, newest first."""
        async with postgres.transaction(self._pool) as conn:
            return [rows.attempt_from(r) for r in await conn.fetch(SQL["attempt_list"], campaign_id, before, limit)]

    async def insert_pool(self, pool: Pool) -> None:
        """Make a pool that an instance takes at once."""
        try:
            async with postgres.transaction(self._pool) as conn:
                await conn.execute(SQL["pool_insert"], *rows.pool_columns(pool))
        except asyncpg.UniqueViolationError as error:
            raise ConflictError(f"There is a pool named {pool.name!r} already.") from error

    async def update_pool(self, pool: Pool) -> None:
        """Change a pool's name and limits; raises `NotFoundError`."""
        try:
            async with postgres.transaction(self._pool) as conn:
                found = await conn.fetchval(SQL["pool_update"], *rows.pool_columns(pool))
        except asyncpg.UniqueViolationError as error:
            raise ConflictError(f"There is a pool named {pool.name!r} already.") from error
        if found is None:
            raise NotFoundError("There is no such pool.")

    async def list_pools(self) -> list[Pool]:
        """Return every pool."""
        async with postgres.transaction(self._pool) as conn:
            return [rows.pool_from(r) for r in await conn.fetch(SQL["pool_list"])]

    async def list_decisions(self, pool_id: UUID, since: datetime, limit: int) -> list[DiaryEntry]:
        """Return what pacing decided since an instant, the newest first."""
        async with postgres.transaction(self._pool) as conn:
            return [DiaryEntry(**dict(r)) for r in await conn.fetch(SQL["pacing_diary_list"], pool_id, since, limit)]

    async def enrol_operator(self, operator_id: UUID, name: str, default_pool: str, now: datetime) -> Operator:
        """Return an operator's row, made in the default pool when they come for the first time."""
        async with postgres.single(self._pool) as conn:
            known = await conn.fetch(SQL["operator_list"], [operator_id])
        if known and known[0]["name"] == name:
            return rows.operator_from(known[0])
        async with postgres.transaction(self._pool) as conn:
            pool_id = await conn.fetchval(SQL["pool_find_by_name"], default_pool)
            if pool_id is None:
                raise NotFoundError(
                    f"There is no pool named {default_pool!r}, which operators join at first; a supervisor makes it "
                    f"with `galw pools create {default_pool}`."
                )
            row = await conn.fetchrow(SQL["operator_enrol"], operator_id, name, pool_id, now)
        if row is None:
            raise NotFoundError("There is no such operator.")
        return rows.operator_from(row)

    async def assign_operator(self, operator_id: UUID, pool_id: UUID, skills: Sequence[str]) -> Operator:
        """Move an operator to a pool and set their skills; only while they are offline, unless the pool stays."""
        try:
            async with postgres.transaction(self._pool) as conn:
                row = await conn.fetchrow(SQL["operator_assign"], operator_id, pool_id, sorted(set(skills)))
        except asyncpg.ForeignKeyViolationError as error:
            raise NotFoundError("There is no such pool.") from error
        if row is None:
            raise ConflictError("There is no such operator, or they are at work; they must be offline to change pools.")
        return rows.operator_from(row)

    async def list_operators(self, after: tuple[str, UUID], limit: int) -> list[Operator]:
        """Return operators by name."""
        async with postgres.transaction(self._pool) as conn:
            return [rows.operator_from(r) for r in await conn.fetch(SQL["operator_list_all"], *after, limit)]

    async def save_trunk(self, trunk: dict[str, Any]) -> None:
        """Set a trunk's limits."""
        async with postgres.transaction(self._pool) as conn:
            await conn.execute(
                SQL["trunk_save"],
                trunk["id"],
                trunk["calls_per_second"],
                trunk["channels"],
                trunk["countries"],
                trunk["cost_per_attempt_micros"],
                trunk["spend_cap_micros"],
            )

    async def list_trunks(self) -> list[dict[str, Any]]:
        """Return every trunk with its live channels."""
        async with postgres.transaction(self._pool) as conn:
            return [dict(r) for r in await conn.fetch(SQL["trunk_list"])]

    async def stop(self, scope: str, target: str, now: datetime, by: UUID | None, reason: str) -> None:
        """Put an emergency stop in force; raises `NotFoundError` when there is no such campaign or trunk."""
        async with postgres.transaction(self._pool) as conn:
            if not await conn.fetchval(SQL["stop_target_exists"], scope, target):
                raise NotFoundError(f"There is no such {scope}; nothing was stopped.")
            await conn.execute(SQL["stop_insert"], scope, target, now, by, reason)
            await conn.execute(SQL["stop_change_insert"], scope, target, "stopped", now, by, reason)

    async def lift(self, scope: str, target: str, now: datetime, by: UUID | None, reason: str) -> None:
        """Lift an emergency stop; raises `NotFoundError` when there is none."""
        async with postgres.transaction(self._pool) as conn:
            if await conn.fetchval(SQL["stop_delete"], scope, target) is None:
                raise NotFoundError("There is no such stop in force.")
            await conn.execute(SQL["stop_change_insert"], scope, target, "lifted", now, by, reason)

    async def list_stop_changes(self, before: int, limit: int) -> list[dict[str, Any]]:
        """Return who stopped or lifted what, newest first."""
        async with postgres.single(self._pool) as conn:
            return [dict(r) for r in await conn.fetch(SQL["stop_change_list"], before, limit)]

    async def list_stops(self) -> list[dict[str, Any]]:
        """Return the stops in force."""
        async with postgres.transaction(self._pool) as conn:
            return [dict(r) for r in await conn.fetch(SQL["stop_list_all"])]

    async def load_status(self) -> dict[str, Any]:
        """Return the dialer in figures."""
        async with postgres.transaction(self._pool) as conn:
            row = await conn.fetchrow(SQL["status_counts"])
        return dict(row) if row is not None else {}


def _columns(campaign: Campaign) -> tuple[Any, ...]:
    return (
        campaign.id,
        campaign.name,
        campaign.state.value,
        campaign.pool_id,
        campaign.script_id,
        campaign.script_version,
        campaign.audience_id,
        campaign.plan.model_dump(mode="json"),
        campaign.version,
        campaign.launched_at,
        campaign.ended_at,
    )


def _shown(campaign: Campaign) -> dict[str, Any]:
    return {
        "name": campaign.name,
        "state": campaign.state.value,
        "pool_id": campaign.pool_id,
        "script_id": campaign.script_id,
        "script_version": campaign.script_version,
        "audience_id": campaign.audience_id,
        "plan": campaign.plan.model_dump(mode="json"),
    }
