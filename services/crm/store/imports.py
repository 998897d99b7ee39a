"""Imports and the blocks of their files in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.crm.domain.attributes import DateFormat
from services.crm.domain.imports import ImportState, RowProblem
from services.crm.domain.records import FileFormat
from services.crm.ports import Import, ImportStep
from services.crm.store.statements import SQL
from services.runtime.errors import ConflictError
from services.runtime.postgres import Connection


class PgImports:
    """`ports.Imports` over one connection."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def add(self, started: Import) -> None:
        """Write a new import."""
        await self._conn.execute(
            SQL["import_add"],
            started.id,
            started.filename,
            started.found.encoding,
            started.found.delimiter,
            list(started.found.header),
            started.mapping,
            started.default_region,
            started.date_format,
            started.started_by,
            started.created_at,
        )

    async def add_block(self, import_id: UUID, begin_bytes: int, body: bytes) -> None:
        """Append a block."""
        await self._conn.execute(SQL["import_block_add"], import_id, begin_bytes, body)

    async def received(self, import_id: UUID, size_bytes: int) -> None:
        """Let the import wait for a worker."""
        await self._conn.execute(SQL["import_received"], import_id, size_bytes)

    async def find(self, import_id: UUID) -> Import | None:
        """Return the import."""
        row = await self._conn.fetchrow(SQL["import_find"], import_id)
        return _import(row) if row else None

    async def page(self, before: UUID | None, limit: int) -> list[Import]:
        """Return imports, the newest first."""
        return [_import(row) for row in await self._conn.fetch(SQL["imports_page"], before, limit)]

    async def claim_next(self, claim: UUID, now: datetime, until: datetime) -> Import | None:
        """Claim the oldest import that nobody works on."""
        row = await self._conn.fetchrow(SQL["import_claim_next"], claim, now, until)
        return _import(row) if row else None

    async def block(self, import_id: UUID, position_bytes: int) -> bytes:
        """Return the rest of a block."""
        return await self._conn.fetchval(SQL["import_block_find"], import_id, position_bytes) or b""

    async def advance(self, import_id: UUID, claim: UUID, step: ImportStep, until: datetime) -> None:
        """Move the resume point and write problems."""
        counts = (step.created, step.updated, step.unchanged, step.rejected)
        moved = await self._conn.fetchval(
            SQL["import_advance"], import_id, claim, step.last_row, step.position_bytes, *counts, until
        )
        _held(moved)
        await self._conn.execute(SQL["import_blocks_drop"], import_id, step.position_bytes)
        if step.problems:
            await self._add_problems(import_id, step.problems)

    async def _add_problems(self, import_id: UUID, problems: Sequence[RowProblem]) -> None:
        places: list[int] = []
        for before, one in zip([None, *problems], problems, strict=False):
            places.append(places[-1] + 1 if before is not None and before.row == one.row else 1)
        await self._conn.execute(
            SQL["import_problems_add"],
            import_id,
            [one.row for one in problems],
            places,
            [one.field for one in problems],
            [one.value for one in problems],
            [one.reason for one in problems],
        )

    async def finish(self, import_id: UUID, claim: UUID, now: datetime, failure: str | None) -> None:
        """End the import and drop its file."""
        _held(await self._conn.fetchval(SQL["import_finish"], import_id, claim, now, failure))
        await self._conn.execute(SQL["import_blocks_clear"], import_id)

    async def problems(self, import_id: UUID, after: tuple[int, int], limit: int) -> list[tuple[int, RowProblem]]:
        """Return what was not taken."""
        rows = await self._conn.fetch(SQL["import_problems_list"], import_id, *after, limit)
        return [
            (row["position"], RowProblem(row["row_number"], row["field"], row["value"], row["reason"])) for row in rows
        ]

    async def expire(self, received_before: datetime, problems_before: datetime, now: datetime) -> int:
        """Drop uploads that were cut off, and old problems."""
        cut_off = [row["id"] for row in await self._conn.fetch(SQL["imports_expire"], received_before, now)]
        for import_id in cut_off:
            await self._conn.execute(SQL["import_blocks_clear"], import_id)
        await self._conn.execute(SQL["import_problems_expire"], problems_before)
        return len(cut_off)


def _held(row: object) -> None:
    if row is None:
        raise ConflictError("Another worker took over this import.")


def _import(row: asyncpg.Record) -> Import:
    return Import(
        id=row["id"],
        state=ImportState(row["state"]),
        filename=row["filename"],
        found=FileFormat(row["encoding"], row["delimiter"], tuple(row["header"])),
        mapping=row["mapping"],
        default_region=row["default_region"],
        date_format=DateFormat(row["date_format"]),
        size_bytes=row["size_bytes"],
        last_row=row["last_row"],
        position_bytes=row["position_bytes"],
        created=row["created"],
        updated=row["updated"],
        unchanged=row["unchanged"],
        rejected=row["rejected"],
        failure=row["failure"],
        started_by=row["started_by"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        claims=row["claims"],
    )
