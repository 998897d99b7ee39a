"""What the notifier hears as requests and announces as facts."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID, uuid5

from pydantic import Field

from services.events.envelope import Event
from services.events.topics import NOTIFIER_DELIVERIES, NOTIFIER_INBOUND, NOTIFIER_REQUESTS, Topic

MessageChannel = Literal["sms", "email"]

_NUMBERS = UUID("5c1c1f5e-2f0d-5a53-8a8e-0c6d7b1e4a37")
"""The namespace of numbers whose holders are unknown."""


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


class NumberOptOutReceived(Event):
    """Somebody wrote STOP from a number that nobody was written to at; it falls silent, whoever holds it."""

    topic: ClassVar[Topic] = NOTIFIER_INBOUND
    type: ClassVar[str] = "notifier.number_optout.received"

    inbound_id: UUID
    number_digest: str
    channel: MessageChannel
    scope: Literal["channel", "all"] = "all"
    keyword: str
    at: datetime

    def key(self) -> UUID:
        """Order by the number."""
        return uuid5(_NUMBERS, self.number_digest)


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
