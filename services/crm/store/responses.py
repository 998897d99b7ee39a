"""Responses, the timeline and handlings in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.crm.ports import Entry, Handling, Response, ResponseSearch
from services.crm.store.statements import SQL
from services.runtime.postgres import Connection

_ANSWERS = [field.name for field in fields(Response)].index("answers")


class PgResponses:
    """`ports.Responses` over one connection."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def save(self, responses: Sequence[Response]) -> None:
        """Write revisions."""
        # Lists of answers go as text: the driver takes lists inside an array for more dimensions of the array.
        columns = _columns(Response, responses)
        columns[_ANSWERS] = [orjson.dumps(answers).decode() for answers in columns[_ANSWERS]]
        await self._conn.execute(SQL["responses_save"], *columns)

    async def page(self, search: ResponseSearch, after: tuple[datetime, UUID] | None, limit: int) -> list[Response]:
        """Return latest revisions, the oldest first."""
        place = after or (None, None)
        rows = await self._conn.fetch(SQL["responses_page"], *_asked(search), *place, limit)
        return [Response(**row) for row in rows]

    async def questions(self, search: ResponseSearch) -> list[str]:
        """Return which questions were answered."""
        rows = await self._conn.fetch(SQL["responses_questions"], *_asked(search))
        return [row["question_id"] for row in rows]

    async def revisions(self, attempt_id: UUID) -> list[Response]:
        """Return every revision."""
        return [Response(**row) for row in await self._conn.fetch(SQL["response_revisions"], attempt_id)]

    async def note(self, entries: Sequence[Entry]) -> None:
        """Write timeline entries."""
        await self._conn.execute(SQL["timeline_add"], *_columns(Entry, entries))

    async def timeline(self, contact_id: UUID, before: tuple[datetime, UUID] | None, limit: int) -> list[Entry]:
        """Return entries, the newest first."""
        rows = await self._conn.fetch(SQL["timeline_page"], contact_id, *(before or (None, None)), limit)
        return [Entry(**row) for row in rows]

    async def note_handlings(self, handlings: Sequence[Handling]) -> None:
        """Add what is known about attempts."""
        known: dict[UUID, Handling] = {}
        for one in handlings:
            # A statement may touch a row once only, and a batch often speaks twice of an attempt.
            before = known.get(one.attempt_id, one)
            known[one.attempt_id] = Handling(
                one.attempt_id, one.contact_id or before.contact_id, one.operator_id or before.operator_id
            )
        await self._conn.execute(SQL["handlings_add"], *_columns(Handling, list(known.values())))


def _asked(search: ResponseSearch) -> tuple[UUID | None, UUID | None, datetime | None, datetime | None]:
    return search.campaign_id, search.contact_id, search.since, search.until


def _columns(kind: type[Any], rows: Sequence[Any]) -> list[list[Any]]:
    """Return dataclasses of one *kind* as one array per field, in the order of the fields."""
    return [[getattr(row, field.name) for row in rows] for field in fields(kind)]
