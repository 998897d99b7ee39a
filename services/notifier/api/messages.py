"""Messages to people, and what people write back, over HTTP."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from services.events.notifier import MessageRequested
from services.notifier.api.access import ANSWERERS, MANAGERS, PREFIX, READERS
from services.notifier.domain.messages import MessageState
from services.notifier.domain.recipients import MessageChannel
from services.notifier.ports import Inbound, MessageFilter, MessageView, Store
from services.notifier.usecases.inbound import Receiving, Wrote, receive
from services.notifier.usecases.messages import accept_requests
from services.runtime.errors import NotFoundError
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Reply, Routes, rejected
from services.runtime.http.instant import Instant


class NewMessage(Input):
    """A message to one person."""

    contact_id: UUID
    channel: MessageChannel
    to: str = Field(min_length=1, max_length=254, description="A number with its country code, or an e-mail address.")
    template: str = Field(min_length=1, max_length=64)
    language: str | None = Field(None, max_length=35)
    variables: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)
    purpose: str = Field("informational", min_length=1, max_length=64)
    campaign_id: UUID | None = None
    expires_at: Instant | None = Field(None, description="Not sent after this; default 24 hours from now.")


class MessageLine(BaseModel):
    """A message and what became of it; address and text are empty after the retention."""

    id: UUID
    request_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    channel: MessageChannel
    to: str
    template: str
    template_version: int | None
    purpose: str
    state: MessageState
    reason: str
    subject: str
    body: str
    requested_at: datetime
    expires_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, one: MessageView) -> Self:
        """Show *one*."""
        own = {"template_version", "state", "reason", "subject", "body", "settled_at"}
        shown = {name: getattr(one if name in own else one.message, name) for name in cls.model_fields}
        return cls(**shown)


class MessageQuery(PageQuery):
    """Which messages; everything given must fit."""

    contact_id: UUID | None = None
    campaign_id: UUID | None = None
    state: MessageState | None = None


class InboundInput(Input):
    """What a person wrote: from an address, or from a contact that is known otherwise."""

    channel: MessageChannel
    text: str = Field(max_length=10_000)
    address: str | None = Field(None, min_length=1, max_length=254, description="The sender's number or address.")
    contact_id: UUID | None = None
    provider_id: str | None = Field(
        None, min_length=1, max_length=200, description="The provider's id of it; a repeat changes nothing."
    )


class InboundView(BaseModel):
    """What was understood, whom it concerns, and the message that answers it."""

    id: UUID
    channel: MessageChannel
    meaning: Literal["opt_out", "help", "reply"]
    keyword: str | None
    contact_ids: list[UUID]
    text: str
    received_at: datetime
    answer_id: UUID | None

    @classmethod
    def of(cls, one: Inbound) -> Self:
        """Show *one*."""
        shown = {name: getattr(one, name) for name in cls.model_fields if name != "contact_ids"}
        return cls(**shown, contact_ids=list(one.contact_ids))


def message_routes(store: Store, receiving: Receiving) -> Routes:
    """Return the routes of messages to and from people."""
    routes = Routes(prefix=PREFIX, tag="messages")
    before = Cursor(UUID)

    @routes.post("/messages", roles=MANAGERS, status=202, idempotent=True, summary="Send a message to a person")
    async def post_message(call: Call, body: NewMessage) -> Reply[MessageLine]:
        request = MessageRequested(request_id=call.new_id, **body.model_dump())
        async with store.transaction() as tx:
            await accept_requests(tx, [request], receiving.phone_key, call.now, receiving.new_id)
            view = await tx.messages.find_requested(request.request_id)
        assert view is not None
        return Reply(MessageLine.of(view), location=f"{PREFIX}/messages/{view.message.id}")

    @routes.get("/messages", roles=READERS, summary="The outbox: messages to people, newest first")
    async def list_messages(query: MessageQuery) -> Page[MessageLine]:
        chosen = MessageFilter(query.contact_id, query.campaign_id, query.state)
        async with store.transaction() as tx:
            found = await tx.messages.page(chosen, before.decode(query.cursor), query.limit)
        more = before.encode(found[-1].message.id) if len(found) == query.limit else None
        return Page(items=[MessageLine.of(one) for one in found], next_cursor=more)

    @routes.get("/messages/{message_id}", roles=READERS, summary="Read a message")
    async def get_message(message_id: UUID) -> MessageLine:
        async with store.transaction() as tx:
            found = await tx.messages.find(message_id)
        if found is None:
            raise NotFoundError(f"There is no message {message_id}.")
        return MessageLine.of(found)

    @routes.post("/inbound", roles=ANSWERERS, status=201, idempotent=True, summary="Hand over what a person wrote")
    async def post_inbound(call: Call, body: InboundInput) -> InboundView:
        if (body.address is None) == (body.contact_id is None):
            raise rejected("address", "expected either the sender's address or a contact_id, not both")
        wrote = Wrote(body.channel, body.text, body.address, body.contact_id, body.provider_id)
        return InboundView.of(await receive(store, wrote, receiving, receiving.new_id(), call.now))

    @routes.get("/inbound", roles=READERS, summary="What people wrote, newest first")
    async def list_inbound(query: PageQuery) -> Page[InboundView]:
        async with store.transaction() as tx:
            found = await tx.messages.inbound_page(before.decode(query.cursor), query.limit)
        more = before.encode(found[-1].id) if len(found) == query.limit else None
        return Page(items=[InboundView.of(one) for one in found], next_cursor=more)

    return routes
