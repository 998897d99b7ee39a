"""Writing facts: in the transaction that decides them, so that they are never lost and never invented."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.events.envelope import Event
from services.events.topics import PARTITIONS
from services.runtime.errors import FieldProblem, RejectedError
from services.runtime.ids import NewId
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql
from services.runtime.tracing import current_traceparent

SQL = load_sql("services.runtime")

MAX_PAYLOAD_BYTES = 256 * 1024
"""The largest payload: refused when written, because a record that no broker takes would block its shard for ever."""

OutboxSignal = asyncio.Event
"""Set after a commit, it wakes the relay of this process at once; without it the relay polls."""


def shard_of(key: UUID) -> int:
    """Return the shard of *key*, which is also its partition (0 to PARTITIONS - 1); it never changes.

    The last bits of every UUID version in use are random, so shards fill evenly.
    """
    return key.int % PARTITIONS


async def append(
    conn: Connection,
    source: str,
    events: Sequence[Event],
    *,
    now: datetime,
    new_id: NewId,
    traceparent: str | None = None,
) -> None:
    """Announce *events*, made by the service *source*, when the caller's transaction commits.

    The caller holds the lock on the row whose id is the event's key: only then is the order of sequence numbers the
    order of commits, which is what keeps one key's events in order. Without *traceparent* the current span's is used.
    Raises `RejectedError` for a payload over 256 KiB.
    """
    if events:
        columns = to_columns(events, new_id)
        await conn.execute(SQL["outbox_append"], source, now, traceparent or current_traceparent(), *columns)


def to_columns(events: Sequence[Event], new_id: NewId) -> tuple[list[Any], ...]:
    """Return the last six arguments of the function `outbox_append` in PostgreSQL, for functions that call it too."""
    keys = [event.key() for event in events]
    return (
        [shard_of(key) for key in keys],
        [event.topic.name for event in events],
        keys,
        [new_id() for _ in events],
        [event.type_name() for event in events],
        [to_payload(event) for event in events],
    )


def to_payload(event: Event) -> bytes:
    """Return the JSON that travels; for set-based inserts that do not use `append`. Raises `RejectedError`."""
    payload = event.model_dump_json().encode()
    if len(payload) > MAX_PAYLOAD_BYTES:
        problem = FieldProblem("event", f"{len(payload)} bytes of JSON; at most {MAX_PAYLOAD_BYTES} can be announced")
        raise RejectedError(f"A {event.type} is too large to announce.", fields=(problem,))
    return payload
