"""What the gate is told about one person, one number and one campaign; every default is the stricter answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, get_args

LineType = Literal["mobile", "landline", "unknown"]
Purpose = Literal["marketing", "informational", "debt_collection", "emergency", "survey"]
Mode = Literal["manual", "preview", "progressive", "predictive", "prerecorded"]
Channel = Literal["voice", "sms", "email"]
ConsentKind = Literal["express", "written", "optin"]
RelationshipKind = Literal["none", "customer", "former_customer", "enquiry"]
Outcome = Literal["no_answer", "busy", "answered", "conversation", "abandoned", "machine", "invalid"]
DoNotCallList = Literal[
    "us_national_dnc",
    "us_state_dnc",
    "internal",
    "rnd",
    "tps",
    "ctps",
    "bloctel",
    "rpo",
    "es_robinson",
    "ca_dncl",
    "au_dncr",
    "in_ndnc",
    "br_nao_me_perturbe",
]
DayClass = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
CountWindow = Literal["day", "month", "block"]
"""Whose counts they are: the calendar day, the calendar month, or the present 30-day block of a campaign."""

MODES: tuple[Mode, ...] = get_args(Mode)
WEEKDAYS: tuple[DayClass, ...] = get_args(DayClass)

Span = tuple[int, int]
"""Minutes of a local day, half-open: `(480, 1260)` is 08:00 to 21:00."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the person lives, as far as known; *region* is the part after the hyphen of ISO 3166-2 (`FL`)."""

    country: str
    region: str | None = None
    postal_code: str | None = None
    verified_on: date | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """One grant, with its withdrawal if there was one; both are kept, the latest event counts."""

    kind: ConsentKind | None
    purpose: Purpose | None
    channel: Channel | None
    given_at: datetime | None
    withdrawn_at: datetime | None = None
    outside_hours: bool = False


@dataclass(frozen=True, slots=True)
class Relationship:
    """What ties the person to us; *since* is the last purchase or payment, of an enquiry its own date."""

    kind: RelationshipKind = "none"
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Scrub:
    """The version of a do-not-call list that the number was compared with; unknown *listed* counts as listed."""

    version_on: date | None = None
    listed: bool = True


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """One earlier attempt at this person; what is None is unknown and counts against the call."""

    at: datetime
    number: str | None = None
    subject: str | None = None
    campaign: str = "this"
    channel: Channel | None = None
    mode: Mode | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls that a person answered, and those of them that met no operator in time; None is unknown."""

    answered: int | None = None
    abandoned: int | None = None


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """A campaign's record: *total* stands for every cap's window unless *windows* gives the window's own."""

    started_at: datetime | None = None
    total: Counts = Counts()
    windows: Mapping[CountWindow, Counts] = field(default_factory=dict[CountWindow, Counts])


@dataclass(frozen=True, slots=True)
class Proclaimed:
    """A holiday proclaimed for *jurisdiction* (`US-LA`, or `US` for all of it), on the local date *on*."""

    jurisdiction: str
    on: date


Hours = tuple[tuple[Span, ...], ...]
"""Seven tuples of spans, Monday first: when a campaign may call, on the callee's wall clock."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision rests on. Only *number* is required; a default is what is assumed when a fact is unknown.

    *hours* are the campaign's and organisation's own hours; like packs they can only tighten. *organisation_packs* are
    ids of packs that apply besides those in force.
    """

    number: str
    line_type: LineType = "unknown"
    address: Address | None = None
    purpose: Purpose = "marketing"
    mode: Mode = "prerecorded"
    channel: Channel = "voice"
    subject: str | None = None
    suppressed: bool = True
    consents: tuple[Consent, ...] = ()
    relationship: Relationship = Relationship()
    scrubs: Mapping[DoNotCallList, Scrub] = field(default_factory=dict[DoNotCallList, Scrub])
    attempts: tuple[PastAttempt, ...] = ()
    refused_at: datetime | None = None
    campaign: CampaignCounts = CampaignCounts()
    hours: Hours | None = None
    holidays_proclaimed: tuple[Proclaimed, ...] = ()
    organisation_packs: tuple[str, ...] = ()
