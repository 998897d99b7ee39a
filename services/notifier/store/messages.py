"""Messages to and from people in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import orjson

from services.notifier.domain.messages import Message, MessageState, Postponed, Settled
from services.notifier.domain.recipients import MessageChannel
from services.notifier.ports import Inbound, MessageFigures, MessageFilter, MessageView
from services.notifier.store.statements import SQL
from services.runtime import outbox
from services.runtime.errors import ConflictError
from services.runtime.postgres import Connection


class PgMessages:
    """The port `Messages` over one transaction."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def lock_people(self, contact_ids: Collection[UUID]) -> None:
        """Lock the rows of these people, in the order of their ids."""
        ids = sorted(set(contact_ids))
        await self._conn.execute(SQL["recipients_add"], ids)
        await self._conn.fetch(SQL["recipients_lock"], ids)

    async def add(self, messages: Sequence[Message]) -> set[UUID]:
        """Write new messages and return their ids; a request that is there already is left alone."""
        rows = [
            (
                one.id,
                one.request_id,
                one.contact_id,
                one.campaign_id,
                one.channel,
                one.to,
                one.to_digest,
                one.template,
                one.language,
                orjson.dumps(one.variables).decode(),
                one.purpose,
                one.answers_opt_out,
                one.requested_at,
                one.expires_at,
            )
            for one in messages
        ]
        added = await self._conn.fetch(SQL["messages_add"], *map(list, zip(*rows, strict=True)))
        return {row["id"] for row in added}

    async def claim(self, now: datetime, lease_ends_at: datetime, claim: UUID, limit: int) -> list[Message]:
        """Take due messages until the lease ends."""
        rows = await self._conn.fetch(SQL["messages_claim"], now, lease_ends_at, claim, limit)
        return [_message(row) for row in rows]

    async def settle(self, settled: Sequence[Settled], claim: UUID, now: datetime) -> set[UUID]:
        """Write what became of messages; return the ids of those that were still ours to settle."""
        rows = await self._conn.fetch(
            SQL["messages_settle"],
            claim,
            now,
            [one.message.id for one in settled],
            [one.state.value for one in settled],
            [one.reason for one in settled],
            [one.template_version for one in settled],
            [one.language for one in settled],
            [one.subject for one in settled],
            [one.body for one in settled],
            [one.provider_id for one in settled],
        )
        return {row["id"] for row in rows}

    async def postpone(self, postponed: Sequence[Postponed], claim: UUID) -> None:
        """Give messages back until later."""
        ids = [one.message.id for one in postponed]
        times = [one.until for one in postponed]
        await self._conn.execute(SQL["messages_postpone"], claim, ids, times, [one.reason for one in postponed])

    async def page(self, chosen: MessageFilter, before: UUID | None, limit: int) -> list[MessageView]:
        """Return messages, the newest first."""
        state = None if chosen.state is None else chosen.state.value
        rows = await self._conn.fetch(SQL["messages_page"], chosen.contact_id, chosen.campaign_id, state, before, limit)
        return [_view(row) for row in rows]

    async def find(self, message_id: UUID) -> MessageView | None:
        """Return one message."""
        row = await self._conn.fetchrow(SQL["message_find"], message_id)
        return None if row is None else _view(row)

    async def find_requested(self, request_id: UUID) -> MessageView | None:
        """Return the message that a request led to."""
        row = await self._conn.fetchrow(SQL["message_find_requested"], request_id)
        return None if row is None else _view(row)

    async def people_at(self, address_digest: str) -> list[UUID]:
        """Return everybody who was ever sent a message to the address, the last first."""
        return [row["contact_id"] for row in await self._conn.fetch(SQL["messages_people"], address_digest)]

    async def last_to(self, contact_id: UUID, channel: MessageChannel) -> Message | None:
        """Return the last message to the person."""
        row = await self._conn.fetchrow(SQL["message_last"], contact_id, channel)
        return None if row is None else _message(row)

    async def last_language(self, contact_id: UUID) -> str | None:
        """Return the language that the last message to the person named."""
        return await self._conn.fetchval(SQL["message_language"], contact_id)

    async def add_inbound(self, inbound: Inbound) -> None:
        """Write what a person wrote; `ConflictError` when the provider's id is there already."""
        try:
            await self._conn.execute(
                SQL["inbound_add"],
                inbound.id,
                inbound.provider_id,
                inbound.channel,
                inbound.address_digest,
                inbound.contact_ids,
                inbound.text,
                inbound.meaning,
                inbound.keyword,
                inbound.received_at,
                inbound.answer_id,
            )
        except asyncpg.UniqueViolationError as error:
            raise ConflictError("This message was received already.") from error

    async def find_inbound(self, provider_id: str) -> Inbound | None:
        """Return what was made of the provider's message."""
        row = await self._conn.fetchrow(SQL["inbound_find"], provider_id)
        return None if row is None else _inbound(row)

    async def inbound_page(self, before: UUID | None, limit: int) -> list[Inbound]:
        """Return what people wrote, the newest first."""
        return [_inbound(row) for row in await self._conn.fetch(SQL["inbound_page"], before, limit)]

    async def blank(self, before: datetime, limit: int) -> int:
        """Empty what is personal and old."""
        await self._conn.execute(SQL["inbound_blank"], before)
        return cast("int", await self._conn.fetchval(SQL["messages_blank"], before, limit))

    async def forget(self, contact_id: UUID) -> None:
        """Empty everything personal about somebody who was erased."""
        await self._conn.execute(SQL["messages_forget"], contact_id)
        await self._conn.execute(SQL["inbound_forget"], contact_id)
        await outbox.forget(self._conn, contact_id)

    async def figures(self, now: datetime) -> MessageFigures:
        """Return the counts of this moment."""
        row = await self._conn.fetchrow(SQL["message_figures"], now)
        assert row is not None
        return MessageFigures(**dict(row))


def _message(row: asyncpg.Record) -> Message:
    return Message(
        id=row["id"],
        request_id=row["request_id"],
        contact_id=row["contact_id"],
        campaign_id=row["campaign_id"],
        channel=row["channel"],
        to=row["address"],
        to_digest=row["address_digest"] or "",
        template=row["template"],
        language=row["wanted_language"],
        variables=row["variables"],
        purpose=row["purpose"],
        requested_at=row["requested_at"],
        expires_at=row["expires_at"],
        answers_opt_out=row["answers_opt_out"],
        attempts=row["attempts"],
    )


def _view(row: asyncpg.Record) -> MessageView:
    return MessageView(
        message=_message(row),
        state=MessageState(row["state"]),
        reason=row["reason"],
        template_version=row["template_version"],
        subject=row["subject"],
        body=row["body"],
        settled_at=row["settled_at"],
    )


def _inbound(row: asyncpg.Record) -> Inbound:
    columns: dict[str, Any] = dict(row)
    columns["contact_ids"] = tuple(columns["contact_ids"])
    return Inbound(**columns)
