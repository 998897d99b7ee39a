"""What the dialer keeps of the CRM's news: enrolments, consents and how fresh its view of them is."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.dialer.ports import ConsentLine, NewLead
from services.dialer.store import rows
from services.dialer.store.restored import hold_enrolled
from services.runtime import postgres
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")


async def enrol_leads(conn: Connection, leads: Sequence[NewLead], now: datetime) -> int:
    """Add people to campaigns and return how many are new."""
    await conn.execute(SQL["person_enrol"], sorted({lead.contact_id for lead in leads}))
    inserted = await conn.fetch(
        SQL["lead_insert"],
        [lead.id for lead in leads],
        [lead.campaign_id for lead in leads],
        [lead.contact_id for lead in leads],
        ["waiting" if lead.phone_index is not None else "finished" for lead in leads],
        [None if lead.phone_index is not None else "invalid" for lead in leads],
        [rows.person_to_json(lead.person) for lead in leads],
        [rows.phones_to_json(lead.phones) for lead in leads],
        [lead.priority for lead in leads],
        [now] * len(leads),
        [lead.phone_index or 0 for lead in leads],
    )
    await hold_enrolled(conn, [row["id"] for row in inserted])
    await _keep_grants(conn, [consent for lead in leads for consent in lead.consents])
    return len(inserted)


async def _keep_grants(conn: Connection, grants: Sequence[ConsentLine]) -> None:
    await conn.execute(
        SQL["consent_append"],
        [c.contact_id for c in grants],
        [c.sequence for c in grants],
        [c.kind for c in grants],
        [c.purpose for c in grants],
        [c.channel for c in grants],
        [c.at for c in grants],
        [c.outside_hours for c in grants],
    )


async def withdraw_leads(conn: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> None:
    """Finish the waiting leads of these (campaign, contact) pairs."""
    await conn.execute(SQL["lead_withdraw"], [p[0] for p in pairs], [p[1] for p in pairs])


async def keep_consents(conn: Connection, lines: Sequence[ConsentLine]) -> None:
    """Keep lines of the ledger, in order; refusals suppress people and numbers, later grants lift them."""
    for line in lines:
        await conn.execute(SQL["person_enrol"], [line.contact_id])
        await conn.fetch(SQL["person_lock"], [line.contact_id])
        if line.given:
            await _grant(conn, line)
        else:
            await _withdraw(conn, line)


async def _grant(conn: Connection, line: ConsentLine) -> None:
    await _keep_grants(conn, [line])
    if line.allows_voice:
        await conn.execute(SQL["person_allow"], [line.contact_id], [line.at])
        digests = list(line.number_digests)
        await conn.execute(SQL["number_allow"], digests, [line.at] * len(digests))


async def _withdraw(conn: Connection, line: ConsentLine) -> None:
    await conn.execute(SQL["consent_withdraw"], line.contact_id, line.channel, line.purpose, line.at)
    if line.refuses_voice:
        await conn.execute(SQL["person_suppress"], [line.contact_id], [line.at], ["crm"])
        digests = sorted(set(line.number_digests))
        await conn.execute(SQL["number_suppress"], digests, [line.at] * len(digests), ["crm"] * len(digests))


async def erase_people(conn: Connection, contact_ids: Sequence[UUID], now: datetime) -> None:
    """Forget people: their leads are blanked, their refusal stays."""
    ids = sorted(set(contact_ids))
    await conn.execute(SQL["person_erase"], ids, now)
    await conn.execute(SQL["lead_erase"], ids)
    await conn.execute(SQL["attempt_erase"], ids)


async def keep_watermarks(pool: postgres.Pool, watermarks: Sequence[tuple[int, datetime]]) -> None:
    """Note of each shard up to when the view of its consents is complete."""
    async with postgres.single(pool) as conn:
        await conn.execute(SQL["watermark_save"], *map(list, zip(*watermarks, strict=True)))
