"""What the notifier hears as requests and announces as facts."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from services.events.envelope import Event
from services.events.topics import NOTIFIER_DELIVERIES, NOTIFIER_INBOUND, NOTIFIER_REQUESTS, Topic

MessageChannel = Literal["sms", "email"]


class MessageRequested(Event):
    """Somebody asks for one message to one person; a repeat of *request_id* is a no-op."""

    topic: ClassVar[Topic] = NOTIFIER_REQUESTS
    type: ClassVar[str] = "notifier.message.requested"

    request_id: UUID
    contact_id: UUID
    campaign_id: UUID | None = None
    channel: MessageChannel
    to: str
    template: str
    language: str | None = None
    variables: dict[str, Any] = Field(default_factory=dict)
    purpose: str = "informational"
    expires_at: datetime | None = None

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class MessageDelivered(Event):
    """What became of a message; *state* only moves forward."""

    topic: ClassVar[Topic] = NOTIFIER_DELIVERIES
    type: ClassVar[str] = "notifier.message.delivered"

    message_id: UUID
    request_id: UUID
    contact_id: UUID
    campaign_id: UUID | None = None
    channel: MessageChannel
    template: str
    state: Literal["sent", "delivered", "failed", "suppressed", "expired"]
    reason: str = ""
    at: datetime

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class OptOutReceived(Event):
    """A person wrote STOP (or the like); the notifier already stopped, the CRM's ledger follows."""

    topic: ClassVar[Topic] = NOTIFIER_INBOUND
    type: ClassVar[str] = "notifier.optout.received"

    inbound_id: UUID
    contact_id: UUID
    channel: MessageChannel
    scope: Literal["channel", "all"] = "all"
    keyword: str
    at: datetime

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class ReplyReceived(Event):
    """A person wrote something else; the text stays in the notifier."""

    topic: ClassVar[Topic] = NOTIFIER_INBOUND
    type: ClassVar[str] = "notifier.reply.received"

    inbound_id: UUID
    contact_id: UUID
    channel: MessageChannel
    at: datetime

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id
