"""The consent ledger in PostgreSQL."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.crm.domain.consents import Change, Channel, ConsentKind, ConsentLine, Suppression
from services.crm.store.statements import SQL
from services.runtime.postgres import Connection


class PgLedger:
    """`ports.Ledger` over one connection."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def lock(self, person_id: UUID) -> tuple[ConsentLine, ...]:
        """Return a person's lines, locked."""
        await self._conn.execute(SQL["consent_head_lock"], person_id)
        return tuple((await self.lines([person_id])).get(person_id, ()))

    async def lines(self, person_ids: Sequence[UUID]) -> dict[UUID, list[ConsentLine]]:
        """Return the lines of each person."""
        found: dict[UUID, list[ConsentLine]] = defaultdict(list)
        for row in await self._conn.fetch(SQL["consents_list"], list(person_ids)):
            found[row["person_id"]].append(_line(row))
        return found

    async def append(self, person_id: UUID, line: ConsentLine, now: datetime) -> None:
        """Write a line and move the head."""
        await self._conn.execute(
            SQL["consent_append"],
            person_id,
            line.sequence,
            line.change,
            line.kind,
            line.channel,
            line.purpose,
            line.at,
            line.source,
            line.outside_hours,
            line.expires_at,
            now,
            line.by,
        )
        await self._conn.execute(SQL["consent_head_save"], person_id, line.sequence)

    async def save_suppressions(
        self, person_id: UUID, suppressions: Sequence[Suppression], digests: Sequence[str]
    ) -> None:
        """Replace what is forbidden."""
        await self._conn.execute(SQL["suppressions_drop"], person_id)
        await self._conn.execute(
            SQL["suppressions_add"],
            person_id,
            [one.channel for one in suppressions],
            [one.purpose for one in suppressions],
            [one.source for one in suppressions],
            [one.at for one in suppressions],
            [one.expires_at for one in suppressions],
            list(digests),
        )

    async def suppressions_of_numbers(self, contact_id: UUID) -> list[tuple[str, Suppression]]:
        """Return what others forbade for the contact's numbers."""
        return [
            (
                row["e164"],
                Suppression(Channel(row["channel"]), row["purpose"], row["at"], row["source"], row["expires_at"]),
            )
            for row in await self._conn.fetch(SQL["suppressions_of_numbers"], contact_id)
        ]

    async def digests(self, person_id: UUID) -> list[str]:
        """Return the digests of a person's numbers."""
        return [row["digest"] for row in await self._conn.fetch(SQL["suppression_digests"], person_id)]

    async def lifted(self, person_id: UUID, digests: Sequence[str]) -> None:
        """Note who may join campaigns again."""
        await self._conn.execute(SQL["enrolment_due_add_holders"], person_id, list(digests))

    async def expire_suppressions(self, now: datetime) -> None:
        """Drop what was forbidden until now."""
        await self._conn.execute(SQL["suppressions_expire"], now)


def _line(row: asyncpg.Record) -> ConsentLine:
    return ConsentLine(
        sequence=row["sequence"],
        change=Change(row["change"]),
        channel=Channel(row["channel"]),
        purpose=row["purpose"],
        at=row["at"],
        source=row["source"],
        kind=ConsentKind(row["kind"]),
        outside_hours=row["outside_hours"],
        expires_at=row["expires_at"],
        by=row["recorded_by"],
    )
