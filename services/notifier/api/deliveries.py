"""The delivery log, replays, tests and the catalogue of events over HTTP."""

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, Field, JsonValue

from services.notifier.api.access import OWNERS, PREFIX, VIEWERS, only_of
from services.notifier.domain.public_events import PUBLIC_TYPES, data_schema
from services.notifier.ports import AttemptView, DeliveryState, DeliveryView, Store
from services.notifier.usecases.deliveries import replay_delivery, replay_failed, send_test
from services.notifier.usecases.partners import own_endpoint
from services.runtime.errors import NotFoundError
from services.runtime.http import ANY_ROLE, Call, Cursor, Input, Page, PageQuery, Routes
from services.runtime.http.instant import Instant
from services.runtime.ids import NewId

SHOWN_ATTEMPTS = 50


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    state: DeliveryState | None = None


class DeliveryLine(BaseModel):
    """One delivery: an event that is or was sent to an endpoint."""

    event_id: UUID
    endpoint_id: UUID
    event_type: str
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    settled_at: datetime | None
    last_status: int | None
    last_failure: str | None

    @classmethod
    def of(cls, one: DeliveryView) -> Self:
        """Show *one*."""
        return cls(**{name: getattr(one, name) for name in DeliveryLine.model_fields})


class AttemptLine(BaseModel):
    """One attempt: what was sent and what came back."""

    started_at: datetime
    duration_ms: int
    url: str
    request_headers: dict[str, str]
    status: int | None
    failure: str | None
    detail: str
    response_headers: dict[str, str]
    response_body: str

    @classmethod
    def of(cls, one: AttemptView) -> Self:
        """Show *one*; bytes that are no text are marked."""
        shown = {name: getattr(one, name) for name in cls.model_fields if name != "response_body"}
        return cls(**shown, response_body=one.response_body.decode("utf-8", "replace"))


class DeliveryDetail(DeliveryLine):
    """One delivery with the body that is sent and the last 50 attempts."""

    payload: JsonValue
    log: list[AttemptLine]


class ReplayInput(Input):
    """From when on to send again what failed or was held."""

    since: Instant = Field(description="Events that Galw stored at or after this instant.")


class Replayed(BaseModel):
    """How many deliveries are due again; at most 10,000, then ask again."""

    deliveries: int


class Tested(BaseModel):
    """The event that was planned; its delivery is in the log under this id."""

    event_id: UUID


class EventType(BaseModel):
    """One event type that can be subscribed to; *data_schema* is a JSON Schema of `data` in the body."""

    type: str
    summary: str
    data_schema: dict[str, Any]


def delivery_routes(store: Store, new_id: NewId) -> Routes:
    """Return the routes of deliveries."""
    routes = Routes(prefix=PREFIX, tag="deliveries")
    before = Cursor(UUID)

    @routes.get("/event-types", roles=ANY_ROLE, summary="List the events that partners can subscribe to")
    async def list_event_types() -> Page[EventType]:
        kinds = sorted(PUBLIC_TYPES.values(), key=lambda one: one.name)
        return Page(
            items=[EventType(type=one.name, summary=one.summary, data_schema=data_schema(one)) for one in kinds]
        )

    @routes.get("/endpoints/{endpoint_id}/deliveries", roles=VIEWERS, summary="List deliveries, newest first")
    async def list_deliveries(call: Call, endpoint_id: UUID, query: DeliveryQuery) -> Page[DeliveryLine]:
        async with store.transaction() as tx:
            await own_endpoint(tx, only_of(call.principal), endpoint_id)
            found = await tx.deliveries.page(endpoint_id, query.state, before.decode(query.cursor), query.limit)
        more = before.encode(found[-1].event_id) if len(found) == query.limit else None
        return Page(items=[DeliveryLine.of(one) for one in found], next_cursor=more)

    @routes.get("/endpoints/{endpoint_id}/deliveries/{event_id}", roles=VIEWERS, summary="Read a delivery and its log")
    async def get_delivery(call: Call, endpoint_id: UUID, event_id: UUID) -> DeliveryDetail:
        async with store.transaction() as tx:
            await own_endpoint(tx, only_of(call.principal), endpoint_id)
            found = await tx.deliveries.find(endpoint_id, event_id)
            if found is None:
                raise NotFoundError(f"Event {event_id} was never meant for this endpoint, or is past its retention.")
            log = await tx.deliveries.attempts(endpoint_id, event_id, SHOWN_ATTEMPTS)
        view, payload = found
        line = DeliveryLine.of(view)
        return DeliveryDetail(
            **line.model_dump(), payload=orjson.loads(payload), log=[AttemptLine.of(one) for one in log]
        )

    @routes.post(
        "/endpoints/{endpoint_id}/deliveries/{event_id}/replay",
        roles=OWNERS,
        status=202,
        idempotent=True,
        summary="Send one delivery again",
    )
    async def post_replay(call: Call, endpoint_id: UUID, event_id: UUID) -> Replayed:
        await replay_delivery(store, only_of(call.principal), endpoint_id, event_id, call.now)
        return Replayed(deliveries=1)

    @routes.post(
        "/endpoints/{endpoint_id}/replay",
        roles=OWNERS,
        status=202,
        idempotent=True,
        summary="Send again what failed or was held",
    )
    async def post_replay_failed(call: Call, endpoint_id: UUID, body: ReplayInput) -> Replayed:
        # A year before PostgreSQL's and Python's ends of time the arithmetic still works.
        since = max(body.since, call.now - timedelta(days=3650))
        count = await replay_failed(store, only_of(call.principal), endpoint_id, since, call.now)
        return Replayed(deliveries=count)

    @routes.post(
        "/endpoints/{endpoint_id}/test", roles=OWNERS, status=202, idempotent=True, summary="Send a test event"
    )
    async def post_test(call: Call, endpoint_id: UUID) -> Tested:
        event_id = await send_test(store, only_of(call.principal), endpoint_id, new_id(), call.now)
        return Tested(event_id=event_id)

    return routes
