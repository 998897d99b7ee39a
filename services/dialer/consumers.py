"""What the dialer hears: enrolments, consents and erasures from the CRM."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import phonenumbers

from services.dialer.domain.leads import Person, Phone
from services.dialer.ports import ConsentLine, NewLead, NewsStore
from services.events.crm import (
    ConsentChanged,
    ConsentWatermark,
    ContactErased,
    EnrolledPhone,
    LeadEnrolled,
    LeadWithdrawn,
)
from services.runtime.clock import Clock
from services.runtime.consumer import Handlers, Received
from services.runtime.errors import RejectedError
from services.runtime.ids import NewId
from services.runtime.outbox import forget
from services.runtime.phone import parse_phone, phone_digest
from services.runtime.postgres import Connection, Pool

_REFUSED_TYPES = {
    phonenumbers.PhoneNumberType.PREMIUM_RATE: "premium rate",
    phonenumbers.PhoneNumberType.SHARED_COST: "shared cost",
    phonenumbers.PhoneNumberType.PAGER: "pager",
    phonenumbers.PhoneNumberType.UAN: "universal access number",
    phonenumbers.PhoneNumberType.VOICEMAIL: "voicemail",
}
_KINDS: dict[int, Literal["mobile", "landline"]] = {
    phonenumbers.PhoneNumberType.MOBILE: "mobile",
    phonenumbers.PhoneNumberType.FIXED_LINE: "landline",
}


def handlers(news: NewsStore, pool: Pool, clock: Clock, new_id: NewId, phone_key: bytes) -> Handlers:
    """Return the dialer's handlers."""
    heard = Handlers()

    @heard.on(LeadEnrolled)
    async def on_lead_enrolled(conn: Connection, batch: Sequence[Received[LeadEnrolled]]) -> None:
        leads = [_lead(one.event, new_id, phone_key) for one in batch]
        await news.enrol_leads(conn, leads, clock.now())

    @heard.on(LeadWithdrawn)
    async def on_lead_withdrawn(conn: Connection, batch: Sequence[Received[LeadWithdrawn]]) -> None:
        await news.withdraw_leads(conn, [(one.event.campaign_id, one.event.contact_id) for one in batch])

    @heard.on(ConsentChanged)
    async def on_consent_changed(conn: Connection, batch: Sequence[Received[ConsentChanged]]) -> None:
        await news.keep_consents(conn, [_line(one.event) for one in batch])

    @heard.on(ContactErased)
    async def on_contact_erased(conn: Connection, batch: Sequence[Received[ContactErased]]) -> None:
        await news.erase_people(conn, [one.event.contact_id for one in batch], clock.now())
        for one in batch:
            await forget(conn, one.event.contact_id)

    @heard.on_watermark(ConsentWatermark)
    async def on_consent_watermarks(batch: Sequence[Received[ConsentWatermark]]) -> None:
        await news.keep_watermarks(pool, [(one.event.shard, one.event.at) for one in batch])

    return heard


def _lead(event: LeadEnrolled, new_id: NewId, phone_key: bytes) -> NewLead:
    if not event.phones:
        raise RejectedError("An enrolment needs at least one phone number.")
    phones = tuple(phone_of(phone, phone_key) for phone in event.phones)
    person = Person(
        name=event.name,
        language=event.language,
        email=event.email,
        country=event.address.country,
        region=event.address.region,
        postal_code=event.address.postal_code,
        time_zone=event.address.time_zone,
        address_verified_on=event.address.verified_on,
        relationship=event.relationship,
        relationship_since=event.relationship_since,
        attributes=event.attributes,
    )
    usable = [index for index, phone in enumerate(phones) if phone.refused is None]
    return NewLead(
        id=new_id(),
        campaign_id=event.campaign_id,
        contact_id=event.contact_id,
        person=person,
        phones=phones,
        phone_index=usable[0] if usable else None,
        priority=event.priority,
        consents=tuple(
            ConsentLine(
                contact_id=event.contact_id,
                sequence=-_order(consent.given_at),
                given=True,
                kind=consent.kind,
                channel=consent.channel,
                purpose=consent.purpose,
                at=consent.given_at,
                outside_hours=consent.outside_hours,
                number_digests=(),
            )
            for consent in event.consents
            if consent.withdrawn_at is None
        ),
    )


def _order(at: datetime) -> int:
    """Return minutes since 1970: apart from the ledger's own sequences, and the same for a repeated enrolment."""
    return max(1, int(at.timestamp() // 60))


def phone_of(phone: EnrolledPhone, phone_key: bytes) -> Phone:
    """Return a number with its digest, country and kind; a premium or the like is kept, but refused."""
    e164 = parse_phone(phone.e164)
    number = phonenumbers.parse(e164)
    number_type = phonenumbers.number_type(number)
    guessed: Literal["mobile", "landline", "unknown"] = _KINDS.get(number_type, "unknown")
    kind = phone.kind if phone.kind != "unknown" else guessed
    country = phonenumbers.region_code_for_number(number) or _country_of_code(number.country_code)
    return Phone(e164, phone_digest(phone_key, e164), kind, country, _REFUSED_TYPES.get(number_type))


def _country_of_code(code: int | None) -> str | None:
    # A number reserved for fiction is assigned to no region; its country code still names the country.
    region = phonenumbers.region_code_for_country_code(code or 0)
    return None if region in ("ZZ", "001") else region


def _line(event: ConsentChanged) -> ConsentLine:
    fields: dict[str, Any] = event.model_dump(exclude={"change", "source"})
    return ConsentLine(given=event.change == "given", **fields)
