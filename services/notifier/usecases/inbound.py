"""What people write back: a no is honoured in the transaction that stores it, before anybody else hears of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

import structlog

from services.events.envelope import Event
from services.events.notifier import NumberOptOutReceived, OptOutReceived, ReplyReceived
from services.notifier.domain.messages import CONFIRMATION_LIFE, Message
from services.notifier.domain.recipients import (
    ConsentLine,
    MessageChannel,
    address_digest,
    parse_address,
    person_subject,
    said_no,
)
from services.notifier.domain.replies import MAX_TEXT, Help, Meaning, OptOut, Reply, first_line, understand
from services.notifier.ports import Inbound, Store, Tx
from services.notifier.usecases.announcing import announce
from services.runtime.ids import NewId

_LOG = structlog.get_logger(__name__)

Scope = Literal["channel", "all"]

HELP_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Wrote:
    """What a provider hands over: from whom (an address or a person), on which channel, what."""

    channel: MessageChannel
    text: str
    address: str | None = None
    contact_id: UUID | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Receiving:
    """What receiving needs besides the tables; *scope* says how far a STOP reaches."""

    phone_key: bytes
    scope: Scope
    new_id: NewId


async def receive(store: Store, wrote: Wrote, receiving: Receiving, inbound_id: UUID, now: datetime) -> Inbound:
    """Store what somebody wrote and act on it; a provider's repeat changes nothing and gets the first answer."""
    meaning = understand(first_line(wrote.text) if wrote.channel == "email" else wrote.text)
    async with store.transaction() as tx:
        known = await tx.messages.find_inbound(wrote.provider_id) if wrote.provider_id else None
        if known is not None:
            return known
        address, digest, people = await _who(tx, wrote, receiving.phone_key)
        await tx.messages.lock_people(people)
        answer = await _answer(tx, meaning, wrote, people, address, digest, receiving, now)
        if isinstance(meaning, OptOut):
            await tx.consents.save(_lines(people, digest, wrote.channel, receiving.scope, now))
        if answer is not None and not await tx.messages.add([answer]):
            answer = None
        inbound = _inbound(inbound_id, wrote, digest, people, meaning, answer, now)
        await tx.messages.add_inbound(inbound)
        await announce(tx, _facts(inbound, meaning, receiving.scope, now), now, receiving.new_id)
    _LOG.info("inbound.received", inbound_id=str(inbound_id), meaning=inbound.meaning, people=len(people))
    return inbound


async def _who(tx: Tx, wrote: Wrote, phone_key: bytes) -> tuple[str, str | None, list[UUID]]:
    """Return the address, its digest and everybody it may be, the person last written to first."""
    if wrote.address is not None:
        address = parse_address(wrote.channel, wrote.address)
    else:
        assert wrote.contact_id is not None
        last = await tx.messages.last_to(wrote.contact_id, wrote.channel)
        if last is None:
            return "", None, [wrote.contact_id]
        address = last.to
    digest = address_digest(phone_key, wrote.channel, address)
    people = await tx.messages.people_at(digest)
    if wrote.contact_id is not None:
        people = [wrote.contact_id, *(one for one in people if one != wrote.contact_id)]
    return address, digest, people


def _lines(
    people: list[UUID], digest: str | None, channel: MessageChannel, scope: Scope, at: datetime
) -> list[ConsentLine]:
    # The address falls silent as well, for whoever else has it and for when it was of nobody we know.
    subjects = [person_subject(one) for one in people] + ([digest] if digest else [])
    return [ConsentLine(subject, "all" if scope == "all" else channel, "", True, at) for subject in subjects]


async def _answer(
    tx: Tx,
    meaning: Meaning,
    wrote: Wrote,
    people: list[UUID],
    address: str,
    digest: str | None,
    receiving: Receiving,
    now: datetime,
) -> Message | None:
    """Return the one confirmation of an opt-out or the answer to HELP; None when there is nothing to say."""
    if isinstance(meaning, Reply) or not people or not address or digest is None:
        return None
    if isinstance(meaning, Help):
        # At most one answer per hour and address, so that two machines cannot talk to each other for ever.
        template, life = f"help-{wrote.channel}", HELP_LIFE
        request_id = uuid5(people[0], f"help {digest} {now:%Y-%m-%dT%H}")
    else:
        lines = await tx.consents.lines({digest})
        if said_no(lines.get(digest, ()), wrote.channel, ""):
            return None  # confirmed already: only one message after a no
        template, life = f"opt-out-{wrote.channel}", CONFIRMATION_LIFE
        request_id = receiving.new_id()
    return Message(
        id=receiving.new_id(),
        request_id=request_id,
        contact_id=people[0],
        campaign_id=None,
        channel=wrote.channel,
        to=address,
        to_digest=digest,
        template=template,
        language=await tx.messages.last_language(people[0]),
        variables={},
        purpose="answer",
        requested_at=now,
        expires_at=now + life,
        answers_opt_out=True,
    )


def _inbound(
    inbound_id: UUID,
    wrote: Wrote,
    digest: str | None,
    people: list[UUID],
    meaning: Meaning,
    answer: Message | None,
    now: datetime,
) -> Inbound:
    kinds: dict[type[Meaning], Literal["opt_out", "help", "reply"]] = {OptOut: "opt_out", Help: "help", Reply: "reply"}
    return Inbound(
        id=inbound_id,
        provider_id=wrote.provider_id,
        channel=wrote.channel,
        address_digest=digest,
        contact_ids=tuple(people),
        text=wrote.text[:MAX_TEXT],
        meaning=kinds[type(meaning)],
        keyword=meaning.keyword if isinstance(meaning, OptOut) else None,
        received_at=now,
        answer_id=None if answer is None else answer.id,
    )


def _facts(inbound: Inbound, meaning: Meaning, scope: Scope, now: datetime) -> list[Event]:
    if isinstance(meaning, OptOut):
        if not inbound.contact_ids and inbound.channel == "sms" and inbound.address_digest is not None:
            # They may have been called and never written to: the no is the number's, and the CRM's ledger knows it.
            return [
                NumberOptOutReceived(
                    inbound_id=inbound.id,
                    number_digest=inbound.address_digest,
                    channel=inbound.channel,
                    scope=scope,
                    keyword=meaning.keyword,
                    at=now,
                )
            ]
        return [
            OptOutReceived(
                inbound_id=inbound.id,
                contact_id=contact_id,
                channel=inbound.channel,
                scope=scope,
                keyword=meaning.keyword,
                at=now,
            )
            for contact_id in inbound.contact_ids
        ]
    return [
        ReplyReceived(inbound_id=inbound.id, contact_id=contact_id, channel=inbound.channel, at=now)
        for contact_id in inbound.contact_ids
    ]
