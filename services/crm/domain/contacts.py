"""Contacts: who can be called, where they live, and when two descriptions speak of the same person."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, NewType, TypeVar
from uuid import UUID
from zoneinfo import available_timezones

import phonenumbers

from services.runtime.errors import FieldProblem, RejectedError
from services.runtime.phone import E164, parse_phone

ContactId = NewType("ContactId", UUID)

Value = TypeVar("Value")

MAX_NUMBERS = 10
"""Numbers of one contact; a person with more is a switchboard, and retries would never get round to the last."""


class NumberKind(StrEnum):
    """What a number reaches, as far as its numbering plan tells."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    UNKNOWN = "unknown"


class Relationship(StrEnum):
    """How the person stands to the organisation; rule packs read it."""

    NONE = "none"
    CUSTOMER = "customer"
    FORMER_CUSTOMER = "former_customer"
    ENQUIRY = "enquiry"


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a contact; its place in the contact's list is the order of preference."""

    e164: E164
    kind: NumberKind = NumberKind.UNKNOWN


@dataclass(frozen=True, slots=True)
class Address:
    """Where the person lives, as far as known; the dialer reads time zones and jurisdictions from it."""

    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """What somebody says about a person: by form, by file or by program. None leaves what is known as it is."""

    numbers: tuple[Number, ...]
    external_id: str | None = None
    name: str | None = None
    language: str | None = None
    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    time_zone: str | None = None
    email: str | None = None
    relationship: Relationship | None = None
    relationship_since: date | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Contact:
    """A person; *sequence* grows with every change and orders what is announced."""

    id: ContactId
    sequence: int
    numbers: tuple[Number, ...]
    created_at: datetime
    changed_at: datetime
    external_id: str | None = None
    name: str = ""
    language: str | None = None
    address: Address = Address()
    email: str | None = None
    relationship: Relationship = Relationship.NONE
    relationship_since: date | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    erased_at: datetime | None = None


def parse_number(raw: str, region: str | None) -> Number:
    """Return *raw* as a number with its kind; *region* completes a national one. Raises `RejectedError`."""
    e164 = parse_phone(raw, region)
    return Number(e164, kind_of(e164))


def kind_of(e164: E164) -> NumberKind:
    """Return what the numbering plan says *e164* reaches; numbers reserved for fiction are in no plan."""
    match phonenumbers.number_type(phonenumbers.parse(e164)):
        case phonenumbers.PhoneNumberType.MOBILE:
            return NumberKind.MOBILE
        case phonenumbers.PhoneNumberType.FIXED_LINE:
            return NumberKind.LANDLINE
        case _:
            return NumberKind.UNKNOWN


def parse_country(raw: str) -> str:
    """Return *raw* as an ISO 3166 alpha-2 code that has telephones, in capitals. Raises `RejectedError`."""
    code = raw.strip().upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise _rejected("country", f"{raw[:20]!r} is no country code; expected two letters of ISO 3166, such as GB")
    return code


def parse_language(raw: str) -> str:
    """Return *raw* as the BCP 47 tag of a language and perhaps a region, such as `en-GB`. Raises `RejectedError`."""
    tag, _, region = raw.strip().replace("_", "-").partition("-")
    if not (tag.isascii() and tag.isalpha() and len(tag) in (2, 3)):
        raise _rejected("language", f"{raw[:20]!r} is no language; expected a code such as cy or en-GB")
    if not region:
        return tag.lower()
    if not (region.isascii() and region.isalnum() and 2 <= len(region) <= 4):
        raise _rejected("language", f"{raw[:20]!r} is no language; expected a code such as cy or en-GB")
    return f"{tag.lower()}-{region.upper() if len(region) < 4 else region.title()}"


def parse_time_zone(raw: str) -> str:
    """Return *raw* when it names a zone of the IANA database. Raises `RejectedError`."""
    if raw not in _zones():
        raise _rejected("time_zone", f"{raw[:40]!r} is no time zone; expected a name such as Europe/London")
    return raw


def parse_email(raw: str) -> str:
    """Return *raw* when a message could be sent to it; whether anybody reads it only a message tells."""
    address = raw.strip()
    local, at, domain = address.rpartition("@")
    if not (at and local and "." in domain.strip(".") and len(address) <= 254) or any(c.isspace() for c in address):
        raise _rejected("email", "not an e-mail address; expected one such as name@example.org")
    return address


def fingerprint(name: str, numbers: tuple[Number, ...]) -> bytes:
    """Return what tells a person without an external id from another: the name, loosely, and the set of numbers."""
    spoken = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    identity = "\n".join([spoken, *sorted({number.e164 for number in numbers})])
    return hashlib.sha256(identity.encode()).digest()[:16]


def new_contact(contact_id: ContactId, draft: ContactDraft, now: datetime) -> Contact:
    """Return the contact that *draft* describes for the first time."""
    empty = Contact(id=contact_id, sequence=0, numbers=(), created_at=now, changed_at=now)
    return merge(empty, draft, now)


def merge(contact: Contact, draft: ContactDraft, now: datetime) -> Contact:
    """Return *contact* with what *draft* adds; the same object when it adds nothing.

    Numbers are replaced as a whole when the draft has any, attributes one by one; an attribute of None is removed.
    """
    attributes = {**contact.attributes, **draft.attributes}
    merged = replace(
        contact,
        numbers=draft.numbers or contact.numbers,
        external_id=_or(draft.external_id, contact.external_id),
        name=_or(draft.name, contact.name),
        language=_or(draft.language, contact.language),
        address=Address(
            country=_or(draft.country, contact.address.country),
            region=_or(draft.region, contact.address.region),
            postal_code=_or(draft.postal_code, contact.address.postal_code),
            time_zone=_or(draft.time_zone, contact.address.time_zone),
        ),
        email=_or(draft.email, contact.email),
        relationship=_or(draft.relationship, contact.relationship),
        relationship_since=_or(draft.relationship_since, contact.relationship_since),
        attributes={name: value for name, value in attributes.items() if value is not None},
    )
    if merged == contact:
        return contact
    return replace(merged, sequence=contact.sequence + 1, changed_at=now)


def erase(contact: Contact, now: datetime) -> Contact:
    """Return *contact* without anything that tells who it was; erasing twice changes nothing."""
    if contact.erased_at is not None:
        return contact
    return Contact(
        id=contact.id,
        sequence=contact.sequence + 1,
        numbers=(),
        created_at=contact.created_at,
        changed_at=now,
        erased_at=now,
    )


def _or(said: Value | None, known: Value) -> Value:
    return known if said is None else said


def _rejected(name: str, problem: str) -> RejectedError:
    return RejectedError(f"The {name.replace('_', ' ')} is not usable.", fields=(FieldProblem(name, problem),))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
