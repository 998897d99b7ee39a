"""Consents: lines of the ledger, what they forbid, and the news of both."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from services.crm.domain.consents import Change, Channel, ConsentLine, Standing, check_line, fold
from services.crm.ports import Entry, PhoneDigest, Store, Tx
from services.crm.usecases.lookups import load_contact
from services.events.crm import ConsentChanged, ConsentWatermark
from services.events.topics import PARTITIONS
from services.runtime.clock import Clock
from services.runtime.errors import RejectedError
from services.runtime.phone import E164

_NOBODY = UUID("0b9d0a4e-6c1f-5d53-9d4e-6c7c4d1f2a10")
"""The namespace of numbers that nobody holds."""

STREAMS: tuple[UUID, ...] = tuple(UUID(int=(_NOBODY.int & ~(PARTITIONS - 1)) | shard) for shard in range(PARTITIONS))
"""The stream of each partition: an id whose shard is that partition."""


async def record_consent(store: Store, contact_id: UUID, line: ConsentLine, clock: Clock) -> ConsentLine:
    """Write *line* (its sequence is given here) at the end of the person's ledger and announce it at once."""
    now = clock.now()
    _check_time(line, now)
    async with store.transaction() as tx:
        await load_contact(tx, contact_id, lock=True)
        return await append_line(tx, contact_id, line, now)


async def append_line(tx: Tx, person_id: UUID, line: ConsentLine, now: datetime) -> ConsentLine:
    """Write *line* at the end of a ledger, renew what is forbidden, and announce it; any person is taken.

    Callers lock the contact first, where there is one: contact, then ledger, is the order of locks everywhere.
    """
    line = await _append(tx, person_id, line, await tx.ledger.digests(person_id), now)
    await tx.responses.note([_entry(person_id, line)])
    return line


async def _append(tx: Tx, person_id: UUID, line: ConsentLine, digests: Sequence[str], now: datetime) -> ConsentLine:
    lines = await tx.ledger.lock(person_id)
    check_line(fold(lines), line)
    line = replace(line, sequence=lines[-1].sequence + 1 if lines else 1)
    await tx.ledger.append(person_id, line, now)
    await tx.ledger.save_suppressions(person_id, fold([*lines, line]).suppressions, digests)
    if line.change is Change.GIVEN:
        await tx.ledger.lifted(person_id, digests)
    await tx.announce([_changed(person_id, line, digests)], now)
    return line


async def record_for_number(
    store: Store, number: E164, line: ConsentLine, digest: PhoneDigest, clock: Clock
) -> ConsentLine:
    """Write *line* for *number*, whoever holds it now or later; it stands under an id made from the number's digest.

    So a list of numbers not to be called works before anybody knows whose they are.
    """
    now = clock.now()
    _check_time(line, now)
    hashed = digest(number)
    person_id = uuid5(_NOBODY, hashed)
    async with store.transaction() as tx:
        return await _append(tx, person_id, line, [hashed], now)


async def withdraw_heard(tx: Tx, person_id: UUID, line: ConsentLine, now: datetime) -> None:
    """Record a refusal that another service heard; the person need not be known here."""
    await tx.contacts.find(person_id, lock=True)
    await append_line(tx, person_id, line, now)


async def withdraw_number_heard(tx: Tx, hashed: str, line: ConsentLine, now: datetime) -> None:
    """Record a refusal that another service heard from the number with the digest *hashed*, whoever holds it."""
    await _append(tx, uuid5(_NOBODY, hashed), line, [hashed], now)


async def standing_of(tx: Tx, contact_id: UUID) -> tuple[list[ConsentLine], Standing]:
    """Return a person's ledger and what is in force."""
    lines = (await tx.ledger.lines([contact_id])).get(contact_id, [])
    return lines, fold(lines)


async def expire_suppressions(store: Store, now: datetime) -> None:
    """Let people join campaigns again whose no was for a time only."""
    async with store.transaction() as tx:
        await tx.ledger.expire_suppressions(now)


def watermark(shard: int, at: datetime) -> ConsentWatermark:
    """Return what the relay sends every second: all consents committed before *at* stand before it in *shard*."""
    return ConsentWatermark(shard=shard, at=at, stream_id=STREAMS[shard])


def _changed(person_id: UUID, line: ConsentLine, digests: Sequence[str]) -> ConsentChanged:
    return ConsentChanged(
        contact_id=person_id,
        sequence=line.sequence,
        change=line.change.value,
        kind=line.kind.value,
        channel=line.channel.value,
        purpose=line.purpose,
        at=line.at,
        source=line.source,
        outside_hours=line.outside_hours,
        number_digests=tuple(digests),
    )


def _entry(person_id: UUID, line: ConsentLine) -> Entry:
    body = {"channel": line.channel, "purpose": line.purpose, "source": line.source, "sequence": line.sequence}
    entry_id = uuid5(person_id, f"consent {line.sequence}")
    return Entry(person_id, line.at, entry_id, f"consent.{line.change}", body)


def _check_time(line: ConsentLine, now: datetime) -> None:
    if line.at > now + timedelta(minutes=5):
        raise RejectedError(f"A consent cannot be from the future: it is {now:%Y-%m-%dT%H:%MZ} here.")
    if line.expires_at is not None and (line.change is Change.GIVEN or line.expires_at <= line.at):
        raise RejectedError("Only a withdrawal expires, and only after it was made.")


def refusal(channel: Channel, at: datetime, source: str, by: UUID | None = None) -> ConsentLine:
    """Return the line of somebody who said no to *channel*, for every purpose and for ever."""
    return ConsentLine(0, Change.WITHDRAWN, channel, None, at, source, by=by)
