"""Enrolment: who of an audience joins a campaign, at its launch and as people come to match later."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.crm.domain.attributes import Catalogue
from services.crm.domain.audiences import Filter, parse_filter
from services.crm.domain.consents import Channel, Consent, ConsentLine, fold
from services.crm.domain.contacts import Contact
from services.crm.ports import Audience, Campaign, PhoneDigest, Store, Tx
from services.crm.usecases.lookups import load_audience
from services.events.crm import EnrolledAddress, EnrolledConsent, EnrolledPhone, LeadEnrolled
from services.runtime.errors import PreconditionError

CHUNK = 500
"""Contacts per transaction: long enough to amortise it, short enough that nobody waits for its locks."""


async def create_audience(store: Store, audience_id: UUID, name: str, raw: object, by: UUID, now: datetime) -> Audience:
    """Write a new audience; `RejectedError` names what is wrong with its filter."""
    async with store.transaction() as tx:
        parse_filter(raw, await tx.contacts.catalogue())
        audience = Audience(audience_id, name, raw, 1, now, now, by)
        await tx.audiences.add(audience)
        return audience


async def edit_audience(
    store: Store, audience_id: UUID, expected: int, name: str, raw: object, by: UUID, now: datetime
) -> Audience:
    """Replace name and filter; running campaigns look at everybody again, and nobody who is in leaves."""
    async with store.transaction() as tx:
        before = await load_audience(tx, audience_id, lock=True)
        if before.version != expected:
            raise PreconditionError(f"The audience was changed meanwhile: it is at version {before.version}.")
        parse_filter(raw, await tx.contacts.catalogue())
        audience = Audience(audience_id, name, raw, before.version + 1, before.created_at, now, by)
        await tx.audiences.save(audience)
        return audience


async def walk_once(store: Store, digest: PhoneDigest, now: datetime) -> bool:
    """Enrol the next chunk of a launched campaign's audience; False when no campaign has any left.

    The walk's place is saved with the enrolments, so that a crash neither skips nor repeats anybody.
    """
    async with store.transaction() as tx:
        campaign = await tx.audiences.claim_walk()
        if campaign is None:
            return False
        audience = await _filter_of(tx, campaign, await tx.contacts.catalogue())
        if audience is None:
            await tx.audiences.walked(campaign.id, campaign.walked_to, now)
            return True
        members = await tx.audiences.members(audience, campaign.walked_to, CHUNK)
        await _enrol(tx, campaign, members, digest, now)
        over = len(members) < CHUNK
        await tx.audiences.walked(campaign.id, members[-1] if members else campaign.walked_to, now if over else None)
        return True


async def enrol_due(store: Store, digest: PhoneDigest, now: datetime) -> bool:
    """Enrol contacts that changed into every campaign they have come to match; False when none is due."""
    async with store.transaction() as tx:
        due = await tx.audiences.claim_due(CHUNK)
        if not due:
            return False
        campaigns = await tx.audiences.enrolling()
        catalogue = await tx.contacts.catalogue() if campaigns else {}
        for campaign in campaigns:
            if (audience := await _filter_of(tx, campaign, catalogue)) is not None:
                await _enrol(tx, campaign, await tx.audiences.among(audience, due), digest, now)
        return True


async def _filter_of(tx: Tx, campaign: Campaign, catalogue: Catalogue) -> Filter | None:
    if campaign.audience_id is None or (audience := await tx.audiences.find(campaign.audience_id)) is None:
        return None
    return parse_filter(audience.filter, catalogue)


async def _enrol(tx: Tx, campaign: Campaign, contact_ids: Sequence[UUID], digest: PhoneDigest, now: datetime) -> None:
    """Enrol who is not suppressed and not in yet; the contacts stay locked, so what is announced is what is true."""
    contacts = await tx.audiences.lock_contacts(contact_ids)
    if not contacts:
        return
    persons, numbers = await tx.audiences.suppressed([one.id for one in contacts], campaign.purpose, now)
    callable_ = [
        one for one in contacts if one.id not in persons and any(digest(n.e164) not in numbers for n in one.numbers)
    ]
    new = await tx.audiences.enrol(campaign.id, [one.id for one in callable_], now)
    ledgers = await tx.ledger.lines(list(new))
    await tx.announce(
        [
            _lead(campaign, one, ledgers.get(one.id, ()), [n.e164 for n in one.numbers if digest(n.e164) in numbers])
            for one in callable_
            if one.id in new
        ],
        now,
    )


def _lead(
    campaign: Campaign, contact: Contact, lines: Sequence[ConsentLine], suppressed: Sequence[str]
) -> LeadEnrolled:
    address = contact.address
    return LeadEnrolled(
        campaign_id=campaign.id,
        contact_id=contact.id,
        name=contact.name,
        language=contact.language,
        phones=tuple(
            EnrolledPhone(e164=one.e164, kind=one.kind.value) for one in contact.numbers if one.e164 not in suppressed
        ),
        email=contact.email,
        address=EnrolledAddress(
            country=address.country,
            region=address.region,
            postal_code=address.postal_code,
            time_zone=address.time_zone,
        ),
        attributes=dict(contact.attributes),
        consents=tuple(
            enrolled for consent in fold(lines).consents for enrolled in _consents(consent, campaign.purpose)
        ),
        relationship=contact.relationship.value,
        relationship_since=contact.relationship_since,
    )


_CHANNELS: dict[Channel, tuple[Literal["voice", "sms", "email"], ...]] = {
    Channel.VOICE: ("voice",),
    Channel.SMS: ("sms",),
    Channel.EMAIL: ("email",),
    Channel.ALL: ("voice", "sms", "email"),
}


def _consents(consent: Consent, purpose: str) -> list[EnrolledConsent]:
    """Return *consent* as the wire says it, channel by channel; one for every purpose covers the campaign's."""
    return [
        EnrolledConsent(
            kind=consent.kind.value,
            purpose=consent.purpose or purpose,
            channel=channel,
            given_at=consent.given_at,
            withdrawn_at=consent.withdrawn_at,
            outside_hours=consent.outside_hours,
        )
        for channel in _CHANNELS[consent.channel]
    ]
