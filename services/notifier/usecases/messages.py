"""Messages to people: taken on once per request, checked and rendered at the moment of sending."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from services.events.notifier import MessageDelivered, MessageRequested
from services.notifier.domain.messages import (
    DEFAULT_LIFE,
    Message,
    MessageState,
    Postponed,
    Settled,
    refusal,
    retry_at,
)
from services.notifier.domain.recipients import (
    ConsentLine,
    MessageChannel,
    address_digest,
    parse_address,
    person_subject,
    said_no,
)
from services.notifier.domain.templates import Rendered, Template, TemplateError, render
from services.notifier.ports import MessageGateway, NotSent, SendGate, Sent, Store, Tx
from services.notifier.usecases.announcing import announce
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError
from services.runtime.ids import NewId

_LOG = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)
"""A claimed message that was not settled for so long is due again; longer than any gateway may take."""


def message_of(request: MessageRequested, message_id: UUID, phone_key: bytes, now: datetime) -> Message:
    """Return the message *request* asks for; raise `RejectedError` when it can never be sent."""
    to = parse_address(request.channel, request.to)
    return Message(
        id=message_id,
        request_id=request.request_id,
        contact_id=request.contact_id,
        campaign_id=request.campaign_id,
        channel=request.channel,
        to=to,
        to_digest=address_digest(phone_key, request.channel, to),
        template=request.template,
        language=request.language,
        variables=request.variables,
        purpose=request.purpose,
        requested_at=now,
        expires_at=request.expires_at or now + DEFAULT_LIFE,
    )


async def accept_requests(
    tx: Tx, requests: Sequence[MessageRequested], phone_key: bytes, now: datetime, new_id: NewId
) -> None:
    """Take on what is asked for; a repeated request is a no-op, one that can never work raises `RejectedError`."""
    await tx.messages.add([message_of(request, new_id(), phone_key, now) for request in requests])


@dataclass(frozen=True, slots=True)
class Sending:
    """What sending needs besides the tables."""

    gateways: Mapping[MessageChannel, MessageGateway]
    gate: SendGate
    organisation: str
    clock: Clock
    new_id: NewId


@dataclass(slots=True)
class _Batch:
    """Claimed messages and what the decision needs, read in the transaction of the claim."""

    claim: UUID
    messages: list[Message]
    lines: dict[str, list[ConsentLine]]
    templates: dict[str, Template]
    settled: list[Settled] = field(default_factory=list[Settled])
    postponed: list[Postponed] = field(default_factory=list[Postponed])


async def send_due(store: Store, sending: Sending, limit: int) -> int:
    """Send what is due, at most *limit*; return how many messages were looked at."""
    batch = await _claim(store, sending, limit)
    for message in batch.messages:
        await _send(batch, message, sending)
    if batch.messages:
        await _settle(store, batch, sending)
    return len(batch.messages)


async def _claim(store: Store, sending: Sending, limit: int) -> _Batch:
    now, claim = sending.clock.now(), sending.new_id()
    async with store.transaction() as tx:
        messages = await tx.messages.claim(now, now + LEASE, claim, limit)
        subjects = {subject for message in messages for subject in _subjects(message)}
        lines = await tx.consents.lines(subjects) if messages else {}
        templates = await tx.templates.latest({message.template for message in messages}) if messages else {}
    return _Batch(claim, messages, lines, templates)


async def _send(batch: _Batch, message: Message, sending: Sending) -> None:
    now = sending.clock.now()
    refused = refusal(message, said_no=_said_no(batch.lines, message), now=now)
    if refused is not None:
        batch.settled.append(refused)
        return
    wait = sending.gate.decide(message, now)
    if wait is not None:
        batch.postponed.append(Postponed(message, wait.until, wait.reason))
        return
    template = batch.templates.get(message.template)
    if template is None or template.channel != message.channel:
        reason = f"There is no {message.channel} template {message.template[:80]}."
        batch.settled.append(Settled(message, MessageState.FAILED, reason))
        return
    try:
        rendered = render(template, message.language, {"organisation": sending.organisation, **message.variables})
    except TemplateError as error:
        batch.settled.append(Settled(message, MessageState.FAILED, error.message, template.version))
        return
    await _hand_over(batch, message, template.version, rendered, sending)


async def _hand_over(batch: _Batch, message: Message, version: int, rendered: Rendered, sending: Sending) -> None:
    try:
        outcome = await sending.gateways[message.channel].send(message, rendered)
    except UnavailableError as error:
        batch.postponed.append(Postponed(message, retry_at(message, sending.clock.now()), error.message))
        return
    batch.settled.append(_settled(message, version, rendered, outcome))


def _settled(message: Message, version: int, rendered: Rendered, outcome: Sent | NotSent) -> Settled:
    if isinstance(outcome, NotSent):
        state, reason, provider_id = MessageState.FAILED, outcome.reason, None
    else:
        state = MessageState.DELIVERED if outcome.delivered else MessageState.SENT
        reason, provider_id = "", outcome.provider_id
    return Settled(message, state, reason, version, rendered.language, rendered.subject, rendered.body, provider_id)


def _said_no(lines: Mapping[str, list[ConsentLine]], message: Message) -> bool:
    # The person, or whoever shares the number: either no counts.
    return any(said_no(lines.get(subject, ()), message.channel, message.purpose) for subject in _subjects(message))


def _subjects(message: Message) -> tuple[str, str]:
    return person_subject(message.contact_id), message.to_digest


async def _settle(store: Store, batch: _Batch, sending: Sending) -> None:
    now = sending.clock.now()
    async with store.transaction() as tx:
        await tx.messages.lock_people([one.message.contact_id for one in batch.settled])
        ours = await tx.messages.settle(batch.settled, batch.claim, now)
        told = [_fact(one, now) for one in batch.settled if one.message.id in ours]
        await announce(tx, told, now, sending.new_id)
        if batch.postponed:
            await tx.messages.postpone(batch.postponed, batch.claim)


def _fact(settled: Settled, now: datetime) -> MessageDelivered:
    message = settled.message
    assert settled.state is not MessageState.PENDING
    return MessageDelivered(
        message_id=message.id,
        request_id=message.request_id,
        contact_id=message.contact_id,
        campaign_id=message.campaign_id,
        channel=message.channel,
        template=message.template,
        state=settled.state.value,
        reason=settled.reason,
        at=now,
    )


async def blank_old_messages(store: Store, kept_for: timedelta, now: datetime, limit: int) -> bool:
    """Empty addresses and texts past their retention; tell whether more may wait."""
    async with store.transaction() as tx:
        return await tx.messages.blank(now - kept_for, limit) >= limit
