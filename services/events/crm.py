"""What the CRM announces."""

from datetime import date, datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from services.events.envelope import Event, Wire
from services.events.topics import CRM_CONSENTS, CRM_CONTACTS, CRM_ENROLMENTS, Topic

Channel = Literal["voice", "sms", "email"]


class ContactChanged(Event):
    """A contact was made or edited; it names ids only, ask the CRM for the rest."""

    topic: ClassVar[Topic] = CRM_CONTACTS
    type: ClassVar[str] = "crm.contact.changed"

    contact_id: UUID
    sequence: int
    created: bool
    external_id: str | None = None

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class ContactErased(Event):
    """A person's data were erased; every service forgets what it holds, dead letters and parked records included."""

    topic: ClassVar[Topic] = CRM_CONTACTS
    type: ClassVar[str] = "crm.contact.erased"

    contact_id: UUID
    sequence: int

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class EnrolledPhone(Wire):
    """A number to try, in the order of preference."""

    e164: str
    kind: Literal["mobile", "landline", "unknown"] = "unknown"


class EnrolledAddress(Wire):
    """Where the person lives, as far as known; it joins the candidate time zones of the numbers."""

    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    time_zone: str | None = None
    verified_on: date | None = None


class EnrolledConsent(Wire):
    """One consent in force when the person was enrolled; later changes come as `ConsentChanged`."""

    kind: Literal["express", "written", "optin"]
    purpose: str
    channel: Channel
    given_at: datetime
    withdrawn_at: datetime | None = None
    outside_hours: bool = False


class LeadEnrolled(Event):
    """A person joins a campaign; external producers may send it too, and a repeat for person and campaign is a
    no-op."""

    topic: ClassVar[Topic] = CRM_ENROLMENTS
    type: ClassVar[str] = "crm.lead.enrolled"

    campaign_id: UUID
    contact_id: UUID
    name: str = ""
    language: str | None = None
    phones: tuple[EnrolledPhone, ...]
    email: str | None = None
    address: EnrolledAddress = EnrolledAddress()
    attributes: dict[str, Any] = Field(default_factory=dict)
    consents: tuple[EnrolledConsent, ...] = ()
    relationship: Literal["none", "customer", "former_customer", "enquiry"] = "none"
    relationship_since: date | None = None
    priority: int = 0

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class LeadWithdrawn(Event):
    """A person leaves a campaign and is not called for it again."""

    topic: ClassVar[Topic] = CRM_ENROLMENTS
    type: ClassVar[str] = "crm.lead.withdrawn"

    campaign_id: UUID
    contact_id: UUID
    reason: str = ""

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class ConsentChanged(Event):
    """A line of the consent ledger; *sequence* grows per person, an older one is ignored.

    `withdrawn` with *purpose* None withdraws every purpose of the channel. *number_digests* are the keyed digests
    (`runtime.phone.phone_digest`) of the person's numbers, so that a number shared with another contact is silent too.
    """

    topic: ClassVar[Topic] = CRM_CONSENTS
    type: ClassVar[str] = "crm.consent.changed"

    contact_id: UUID
    sequence: int
    change: Literal["given", "withdrawn"]
    kind: Literal["express", "written", "optin"] = "express"
    channel: Channel | Literal["all"] = "all"
    purpose: str | None = None
    at: datetime
    source: str
    outside_hours: bool = False
    number_digests: tuple[str, ...] = ()

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class ConsentWatermark(Event):
    """Sent by the CRM on every partition every second: all consents decided before *at* stand before it in the log."""

    topic: ClassVar[Topic] = CRM_CONSENTS
    type: ClassVar[str] = "crm.consent.watermark"

    shard: int
    at: datetime
    stream_id: UUID

    def key(self) -> UUID:
        """Order by the stream; the relay sends a watermark to the partition of its shard, not of its key."""
        return self.stream_id
