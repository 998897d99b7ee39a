"""Dead letters and parked records over HTTP: look, try again, let go."""

import base64
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

import structlog
from pydantic import BaseModel, Field

from services.runtime.consumer.failures import SQL
from services.runtime.errors import NotFoundError
from services.runtime.http import Call, Cursor, Page, PageQuery, Routes
from services.runtime.identity.principal import Role
from services.runtime.postgres import Pool, transaction

_LOG = structlog.get_logger(__name__)

State = Literal["dead", "parked"]


class LetterQuery(PageQuery):
    """Which records; everything given must fit."""

    topic: str | None = Field(None, max_length=249)
    state: State | None = Field(None, description="dead: kept for a person; parked: tried again by itself.")


class LetterLine(BaseModel):
    """A record that could not be applied, and why."""

    id: UUID
    state: State
    topic: str
    partition: int
    record_offset: int
    produced_at: datetime
    reason: str
    attempts: int
    since: datetime

    @classmethod
    def of(cls, row: Any) -> Self:
        """Show a stored row."""
        return cls(**{name: row[name] for name in LetterLine.model_fields})


class LetterDetail(LetterLine):
    """The record with its bytes as they were read: as text where they are text, in base64 always."""

    text: str | None
    value: str
    key: str | None
    headers: dict[str, str]


def dead_letter_routes(service: str, pool: Pool) -> Routes:
    """Return the routes of the records that the consumer of *service* could not apply."""
    routes = Routes(prefix=f"/api/{service}", tag="dead letters")
    before = Cursor(tuple[datetime, UUID])

    @routes.get("/dead-letters", roles={Role.ADMIN, Role.AUDITOR}, summary="List records that could not be applied")
    async def list_dead_letters(query: LetterQuery) -> Page[LetterLine]:
        since, last = before.decode(query.cursor) or (None, None)
        async with transaction(pool) as conn:
            rows = await conn.fetch(SQL["dead_letters_list"], query.topic, query.state, since, last, query.limit)
        more = before.encode((rows[-1]["since"], rows[-1]["id"])) if len(rows) == query.limit else None
        return Page(items=[LetterLine.of(row) for row in rows], next_cursor=more)

    # The bytes may name a person, so only administrators read them, and it is logged who did.
    @routes.get("/dead-letters/{letter_id}", roles={Role.ADMIN}, summary="Read a record with its bytes")
    async def get_dead_letter(call: Call, letter_id: UUID) -> LetterDetail:
        async with transaction(pool) as conn:
            row = await conn.fetchrow(SQL["dead_letters_find"], letter_id)
        if row is None:
            raise _missing(service, letter_id)
        _LOG.info("dead_letter.shown", letter_id=str(letter_id), user_id=str(call.principal.user_id))
        return _detail(row)

    @routes.post(
        "/dead-letters/{letter_id}/replay", roles={Role.ADMIN}, status=202, summary="Try a record again, at once"
    )
    async def post_replay(call: Call, letter_id: UUID) -> LetterLine:
        async with transaction(pool) as conn:
            moved = await conn.fetchval(SQL["dead_letters_replay"], letter_id)
            if moved is None and await conn.fetchval(SQL["parked_hurry"], letter_id) is None:
                raise _missing(service, letter_id)
            row = await conn.fetchrow(SQL["dead_letters_find"], letter_id)
        _LOG.info("dead_letter.replayed", letter_id=str(letter_id), user_id=str(call.principal.user_id))
        return LetterLine.of(row)

    @routes.delete("/dead-letters/{letter_id}", roles={Role.ADMIN}, summary="Discard a record for good")
    async def delete_dead_letter(call: Call, letter_id: UUID) -> None:
        async with transaction(pool) as conn:
            if await conn.fetchval(SQL["dead_letters_discard"], letter_id) is None:
                raise _missing(service, letter_id)
        _LOG.info("dead_letter.discarded", letter_id=str(letter_id), user_id=str(call.principal.user_id))

    return routes


def _missing(service: str, letter_id: UUID) -> NotFoundError:
    return NotFoundError(f"The {service} keeps no dead letter or parked record {letter_id}; perhaps it was applied.")


def _detail(row: Any) -> LetterDetail:
    value: bytes = row["value"] or b""
    key: bytes | None = row["key"]
    headers = {name: base64.b64decode(raw).decode("utf-8", "replace") for name, raw in row["headers"]}
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = None
    return LetterDetail(
        **LetterLine.of(row).model_dump(),
        text=text,
        value=base64.b64encode(value).decode(),
        key=None if key is None else base64.b64encode(key).decode(),
        headers=headers,
    )
