"""Messages to people: what is asked for, what may go out, what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.notifier.domain.recipients import MessageChannel

DEFAULT_LIFE = timedelta(hours=24)
"""A message without an expiry is not sent later than this: yesterday's reminder helps nobody."""

CONFIRMATION_LIFE = timedelta(minutes=5)
"""The one confirmation of an opt-out must go out within five minutes (47 CFR 64.1200(a)(12)) or not at all."""

_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(minutes=15)


class MessageState(StrEnum):
    """Where a message is; it only moves forward, and every state but the first two is final."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person.

    *answers_opt_out* marks the confirmation of an opt-out and the answer to HELP: they go to somebody who may have said
    no. Only the notifier itself makes such messages.
    """

    id: UUID
    request_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    channel: MessageChannel
    to: str
    to_digest: str
    template: str
    language: str | None
    variables: Mapping[str, Any]
    purpose: str
    requested_at: datetime
    expires_at: datetime
    answers_opt_out: bool = False
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a message: its new state, why, and what the person reads of it, where something was rendered."""

    message: Message
    state: MessageState
    reason: str = ""
    template_version: int | None = None
    language: str | None = None
    subject: str = ""
    body: str = ""
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Postponed:
    """A message that goes out later, if at all."""

    message: Message
    until: datetime
    reason: str = field(default="")
    """Why, for people who look at the outbox."""


def refusal(message: Message, *, said_no: bool, now: datetime) -> Settled | None:
    """Return why *message* must not go out now, None when it may; asked at the moment of sending."""
    if now >= message.expires_at:
        return Settled(message, MessageState.EXPIRED, "It could not be sent before it expired.")
    if not message.to:
        return Settled(message, MessageState.FAILED, "The address was erased.")
    if said_no and not message.answers_opt_out:
        return Settled(message, MessageState.SUPPRESSED, "The person has said no to such messages.")
    return None


def retry_at(message: Message, now: datetime) -> datetime:
    """Return when to try again after a provider could not be reached: 15 s, doubling up to 15 min, until it expires."""
    return now + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(message.attempts, 10))
