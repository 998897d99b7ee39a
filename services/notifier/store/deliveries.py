"""Public events and deliveries in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import orjson

from services.notifier.domain.partners import Target
from services.notifier.domain.public_events import PublicEvent
from services.notifier.domain.retries import Delivered, RetryAt
from services.notifier.domain.signatures import Scheme
from services.notifier.ports import (
    Attempted,
    AttemptView,
    DeliveryState,
    DeliveryView,
    DueDelivery,
    Health,
    WebhookFigures,
)
from services.notifier.store.statements import SQL
from services.runtime.postgres import Connection


class PgDeliveries:
    """The port `Deliveries` over one transaction."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def add(self, events: Sequence[PublicEvent], pairs: Sequence[tuple[UUID, Target]], now: datetime) -> None:
        """Store *events* and one delivery per pair; what is there already stays."""
        await self._conn.execute(
            SQL["deliveries_add"],
            now,
            [event.id for event in events],
            [event.type for event in events],
            [event.occurred_at for event in events],
            [event.payload for event in events],
            [event_id for event_id, _ in pairs],
            [target.endpoint_id for _, target in pairs],
            [target.enabled for _, target in pairs],
        )

    async def claim(
        self, now: datetime, lease_ends_at: datetime, claim: UUID, busy: dict[UUID, int], per_endpoint: int, limit: int
    ) -> list[DueDelivery]:
        """Take due deliveries until the lease ends."""
        in_hand = list(busy.values())
        rows = await self._conn.fetch(
            SQL["deliveries_claim"], now, lease_ends_at, claim, list(busy), in_hand, per_endpoint, limit
        )
        return [
            DueDelivery(
                row["event_id"],
                row["endpoint_id"],
                row["url"],
                row["attempts"],
                row["payload"],
                tuple(zip(map(Scheme, row["schemes"] or ()), row["sealed"] or (), strict=True)),
            )
            for row in rows
        ]

    async def record(self, attempts: Sequence[Attempted]) -> None:
        """Write down attempts and what follows for their deliveries."""
        columns = list(zip(*map(_columns, attempts), strict=True))
        await self._conn.execute(SQL["deliveries_record"], *map(list, columns))

    async def note_success(self, endpoint_ids: Collection[UUID]) -> None:
        """Clear the failures of endpoints that took a delivery."""
        await self._conn.execute(SQL["endpoints_note_success"], sorted(endpoint_ids))

    async def note_failures(self, failures: dict[UUID, tuple[int, datetime]]) -> list[Health]:
        """Add failures per endpoint and return how each fares."""
        counts = [count for count, _ in failures.values()]
        firsts = [first for _, first in failures.values()]
        rows = await self._conn.fetch(SQL["endpoints_note_failures"], list(failures), counts, firsts)
        return [Health(row["id"], row["failing_since"], row["failures"]) for row in rows]

    async def hold(self, endpoint_id: UUID) -> int:
        """Hold what waits for a disabled endpoint."""
        return _rows(await self._conn.execute(SQL["deliveries_hold"], endpoint_id))

    async def page(
        self, endpoint_id: UUID, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> list[DeliveryView]:
        """Return deliveries, the newest event first."""
        return [_view(row) for row in await self._conn.fetch(SQL["deliveries_page"], endpoint_id, state, before, limit)]

    async def find(self, endpoint_id: UUID, event_id: UUID) -> tuple[DeliveryView, bytes] | None:
        """Return one delivery and its payload."""
        row = await self._conn.fetchrow(SQL["delivery_find"], endpoint_id, event_id)
        return None if row is None else (_view(row), row["payload"])

    async def attempts(self, endpoint_id: UUID, event_id: UUID, limit: int) -> list[AttemptView]:
        """Return the last attempts, oldest first."""
        rows = await self._conn.fetch(SQL["delivery_attempts"], endpoint_id, event_id, limit)
        return [_attempt(row) for row in reversed(rows)]

    async def counts(self, endpoint_ids: Sequence[UUID], since: datetime) -> dict[UUID, dict[str, int]]:
        """Return deliveries by endpoint and state."""
        found: dict[UUID, dict[str, int]] = {}
        for row in await self._conn.fetch(SQL["deliveries_counts"], list(endpoint_ids), since):
            found.setdefault(row["endpoint_id"], {})[row["state"]] = row["deliveries"]
        return found

    async def replay(self, endpoint_id: UUID, event_id: UUID, now: datetime) -> bool:
        """Make one delivery due again."""
        return await self._conn.fetchval(SQL["delivery_replay"], endpoint_id, event_id, now) is not None

    async def replay_failed(self, endpoint_id: UUID, since: datetime, now: datetime, limit: int) -> int:
        """Make exhausted and held deliveries due again."""
        return cast("int", await self._conn.fetchval(SQL["deliveries_replay_failed"], endpoint_id, since, now, limit))

    async def figures(self, now: datetime) -> WebhookFigures:
        """Return the counts of this moment."""
        row = await self._conn.fetchrow(SQL["webhook_figures"], now)
        assert row is not None
        return WebhookFigures(**dict(row))

    async def forget(self, stored_before: datetime, now: datetime, limit: int) -> int:
        """Delete old events with all that hangs on them, and secrets that expired."""
        await self._conn.execute(SQL["secrets_forget"], now)
        return cast("int", await self._conn.fetchval(SQL["webhook_events_forget"], stored_before, limit))


def _columns(one: Attempted) -> tuple[object, ...]:
    verdict, answer, delivery = one.verdict, one.answer, one.delivery
    if isinstance(verdict, Delivered):
        state = "delivered"
    else:
        state = "pending" if isinstance(verdict, RetryAt) else "exhausted"
    return (
        one.id,
        delivery.event_id,
        delivery.endpoint_id,
        one.claim,
        one.started_at,
        one.ended_at,
        delivery.url,
        orjson.dumps(one.request_headers).decode(),
        answer.result.status,
        None if answer.result.failure is None else answer.result.failure.value,
        answer.detail,
        orjson.dumps(answer.headers).decode(),
        answer.body,
        state,
        verdict.at if isinstance(verdict, RetryAt) else None,
    )


def _attempt(row: asyncpg.Record) -> AttemptView:
    columns: dict[str, Any] = dict(row)
    columns["response_headers"] = columns["response_headers"] or {}
    columns["response_body"] = columns["response_body"] or b""
    return AttemptView(**columns)


def _view(row: asyncpg.Record) -> DeliveryView:
    columns: dict[str, Any] = dict(row)
    columns.pop("payload", None)
    if columns["state"] != "pending":
        columns["next_attempt_at"] = None
    return DeliveryView(**columns)


def _rows(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
