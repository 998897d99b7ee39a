"""Audiences, campaigns and enrolments in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.crm.domain.audiences import Filter
from services.crm.domain.contacts import Contact
from services.crm.ports import Audience, Campaign
from services.crm.store.contacts import contact_from_row
from services.crm.store.filters import Predicate
from services.crm.store.statements import SQL
from services.runtime.errors import ConflictError
from services.runtime.postgres import Connection


class PgAudiences:
    """`ports.Audiences` over one connection."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def find(self, audience_id: UUID, *, lock: bool = False) -> Audience | None:
        """Return the audience, locked on wish."""
        row = await self._conn.fetchrow(SQL["audience_lock" if lock else "audience_find"], audience_id)
        return Audience(**row) if row else None

    async def page(self, after: UUID | None, limit: int) -> list[Audience]:
        """Return audiences."""
        return [Audience(**row) for row in await self._conn.fetch(SQL["audiences_page"], after, limit)]

    async def add(self, audience: Audience) -> None:
        """Write a new audience."""
        await self._save(audience)

    async def save(self, audience: Audience) -> None:
        """Write an edited audience; its campaigns walk again."""
        await self._save(audience)
        await self._conn.execute(SQL["audience_rewalk"], audience.id)

    async def _save(self, one: Audience) -> None:
        values = (one.id, one.name, one.filter, one.version, one.created_at, one.changed_at, one.changed_by)
        try:
            await self._conn.execute(SQL["audience_save"], *values)
        except asyncpg.UniqueViolationError as error:
            raise ConflictError(f"There is an audience called {one.name} already.") from error

    async def count(self, audience: Filter) -> int:
        """Count who fits."""
        statement, values = Predicate(audience).within(SQL["audience_count"])
        return await self._conn.fetchval(statement, *values)

    async def members(self, audience: Filter, after: UUID | None, limit: int) -> list[UUID]:
        """Return who fits, chunk by chunk."""
        statement, values = Predicate(audience, after or UUID(int=0), limit).within(SQL["audience_members"])
        return [row["id"] for row in await self._conn.fetch(statement, *values)]

    async def among(self, audience: Filter, contact_ids: Sequence[UUID]) -> list[UUID]:
        """Return who of the given fits."""
        statement, values = Predicate(audience, list(contact_ids)).within(SQL["audience_among"])
        return [row["id"] for row in await self._conn.fetch(statement, *values)]

    async def save_campaign(self, campaign: Campaign) -> None:
        """Write a campaign."""
        await self._conn.execute(
            SQL["campaign_save"],
            campaign.id,
            campaign.sequence,
            campaign.name,
            campaign.state,
            campaign.purpose,
            campaign.audience_id,
        )

    async def campaign(self, campaign_id: UUID) -> Campaign | None:
        """Return the campaign."""
        row = await self._conn.fetchrow(SQL["campaign_find"], campaign_id)
        return Campaign(**row) if row else None

    async def claim_walk(self) -> Campaign | None:
        """Return a campaign to walk, locked."""
        row = await self._conn.fetchrow(SQL["campaign_claim_walk"])
        return Campaign(**row) if row else None

    async def walked(self, campaign_id: UUID, to: UUID | None, at: datetime | None) -> None:
        """Note how far a walk has come."""
        await self._conn.execute(SQL["campaign_walked"], campaign_id, to, at)

    async def enrolling(self) -> list[Campaign]:
        """Return the campaigns that take people."""
        return [Campaign(**row) for row in await self._conn.fetch(SQL["campaigns_enrolling"])]

    async def claim_due(self, limit: int) -> list[UUID]:
        """Take changed contacts off the list."""
        rows = await self._conn.fetch(SQL["enrolment_due_claim"], limit)
        return sorted({row["contact_id"] for row in rows})

    async def lock_contacts(self, contact_ids: Sequence[UUID]) -> list[Contact]:
        """Lock contacts in the order of their ids."""
        return [contact_from_row(row) for row in await self._conn.fetch(SQL["contacts_lock"], list(contact_ids))]

    async def suppressed(self, contact_ids: Sequence[UUID], purpose: str, now: datetime) -> tuple[set[UUID], set[str]]:
        """Return whom and which numbers not to call."""
        rows = await self._conn.fetch(SQL["enrolment_suppressed"], list(contact_ids), purpose, now)
        persons = {row["person_id"] for row in rows if row["digest"] is None}
        return persons, {row["digest"] for row in rows if row["digest"] is not None}

    async def enrol(self, campaign_id: UUID, contact_ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """Write enrolments; return the new ones."""
        rows = await self._conn.fetch(SQL["enrolments_add"], campaign_id, list(contact_ids), now)
        return {row["contact_id"] for row in rows}

    async def withdraw(self, contact_id: UUID, now: datetime) -> list[UUID]:
        """Take a person out of every campaign."""
        return [row["campaign_id"] for row in await self._conn.fetch(SQL["enrolments_withdraw"], contact_id, now)]

    async def enrolled(self, campaign_id: UUID) -> int:
        """Count who is in."""
        return await self._conn.fetchval(SQL["enrolments_count"], campaign_id)
