"""What the use cases need of the world: one transaction over the CRM's tables, seen noun by noun."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.crm.domain.attributes import Attribute, Catalogue, DateFormat
from services.crm.domain.audiences import Filter
from services.crm.domain.consents import ConsentLine, Suppression
from services.crm.domain.contacts import Contact, ContactDraft
from services.crm.domain.imports import ImportState, RowProblem
from services.crm.domain.records import FileFormat
from services.events.envelope import Event


@dataclass(frozen=True, slots=True)
class ContactSearch:
    """What contacts are looked for; everything given must fit."""

    number: str | None = None
    external_id: str | None = None
    name_prefix: str | None = None


class Contacts(Protocol):
    """Contacts and their numbers."""

    async def find(self, contact_id: UUID, *, lock: bool = False) -> Contact | None:
        """Return the contact; with *lock* it stays as it is until the end of the transaction."""
        ...

    async def lock_alike(self, drafts: Sequence[ContactDraft]) -> list[Contact]:
        """Return, locked, every contact that a draft may mean (`domain.people.plan_upserts`)."""
        ...

    async def save(self, contacts: Sequence[Contact]) -> None:
        """Write new and changed contacts and note them as due for enrolment; `ConflictError` when one is known."""
        ...

    async def search(self, search: ContactSearch, after: UUID | None, limit: int) -> list[Contact]:
        """Return contacts in the order of their ids; erased ones are not found."""
        ...

    async def names(self, contact_ids: Sequence[UUID]) -> dict[UUID, tuple[str | None, str]]:
        """Return external id and name of contacts; erased ones have none."""
        ...

    async def catalogue(self) -> Catalogue:
        """Return the attribute catalogue."""
        ...

    async def add_attribute(self, attribute: Attribute, now: datetime) -> None:
        """Add a catalogue entry; `ConflictError` when the name is taken."""
        ...

    async def forget(self, contact_id: UUID) -> None:
        """Blank what other tables still say about the person: notes, free texts, what waits to be announced."""
        ...

    async def handled_by(self, contact_id: UUID, operator_id: UUID) -> bool:
        """Tell whether the operator had the person on the line."""
        ...


class Ledger(Protocol):
    """The consent ledger and what follows from it."""

    async def lock(self, person_id: UUID) -> tuple[ConsentLine, ...]:
        """Return the person's lines, in order, with the ledger locked until the end of the transaction."""
        ...

    async def lines(self, person_ids: Sequence[UUID]) -> dict[UUID, list[ConsentLine]]:
        """Return the lines of each person that has any, in order."""
        ...

    async def append(self, person_id: UUID, line: ConsentLine, now: datetime) -> None:
        """Write *line* at the end of a ledger that `lock` has locked."""
        ...

    async def save_suppressions(
        self, person_id: UUID, suppressions: Sequence[Suppression], digests: Sequence[str]
    ) -> None:
        """Replace what is forbidden to reach *person_id*, for the person and for each of *digests*."""
        ...

    async def suppressions_of_numbers(self, contact_id: UUID) -> list[tuple[str, Suppression]]:
        """Return what others forbade for the contact's numbers, by number: known by it only, or holding it as well."""
        ...

    async def digests(self, person_id: UUID) -> list[str]:
        """Return the digests of the person's numbers, those of numbers once suppressed included."""
        ...

    async def lifted(self, person_id: UUID, digests: Sequence[str]) -> None:
        """Note the person, and who holds one of the numbers, as due for enrolment."""
        ...

    async def expire_suppressions(self, now: datetime) -> None:
        """Drop what was forbidden for a time only; whom it kept out is due for enrolment."""
        ...


@dataclass(frozen=True, slots=True)
class Import:
    """One import and how far it is; *claims* counts workers since it last moved."""

    id: UUID
    state: ImportState
    filename: str
    found: FileFormat
    mapping: dict[str, str]
    default_region: str | None
    date_format: DateFormat
    size_bytes: int
    last_row: int
    position_bytes: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    failure: str | None
    started_by: UUID | None
    created_at: datetime
    finished_at: datetime | None
    claims: int = 0


@dataclass(frozen=True, slots=True)
class ImportStep:
    """What one committed batch of rows adds to an import: counts, problems and the new resume point."""

    last_row: int
    position_bytes: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    problems: tuple[RowProblem, ...]


class Imports(Protocol):
    """Imports, the blocks of their files, and what was not taken."""

    async def add(self, started: Import) -> None:
        """Write a new import in the state `receiving`."""
        ...

    async def add_block(self, import_id: UUID, begin_bytes: int, body: bytes) -> None:
        """Append a block of the file, in UTF-8."""
        ...

    async def received(self, import_id: UUID, size_bytes: int) -> None:
        """Say that the whole file is here: the import waits for a worker."""
        ...

    async def find(self, import_id: UUID) -> Import | None:
        """Return the import."""
        ...

    async def page(self, before: UUID | None, limit: int) -> list[Import]:
        """Return imports, the newest first."""
        ...

    async def claim_next(self, claim: UUID, now: datetime, until: datetime) -> Import | None:
        """Take the oldest import that nobody works on, under *claim* until *until*."""
        ...

    async def block(self, import_id: UUID, position_bytes: int) -> bytes:
        """Return the bytes from *position_bytes* to the end of their block; none at the end of the file."""
        ...

    async def advance(self, import_id: UUID, claim: UUID, step: ImportStep, until: datetime) -> None:
        """Commit a batch with the rest of the transaction; `ConflictError` when another worker took over."""
        ...

    async def finish(self, import_id: UUID, claim: UUID, now: datetime, failure: str | None) -> None:
        """End the import and drop its file."""
        ...

    async def problems(self, import_id: UUID, after: tuple[int, int], limit: int) -> list[tuple[int, RowProblem]]:
        """Return problems in the order of rows, each with its position in the row, after (row, position)."""
        ...

    async def expire(self, received_before: datetime, problems_before: datetime, now: datetime) -> int:
        """Drop uploads that were cut off and problems that nobody mended; return how many imports were touched."""
        ...


@dataclass(frozen=True, slots=True)
class Audience:
    """A named filter; *version* grows with every edit."""

    id: UUID
    name: str
    filter: Any
    version: int
    created_at: datetime
    changed_at: datetime
    changed_by: UUID | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """What enrolment needs to know of a campaign of the dialer."""

    id: UUID
    sequence: int
    name: str
    state: str
    purpose: str
    audience_id: UUID | None
    walked_to: UUID | None
    walked_at: datetime | None


class Audiences(Protocol):
    """Audiences, campaigns as far as they enrol, and enrolments."""

    async def find(self, audience_id: UUID, *, lock: bool = False) -> Audience | None:
        """Return the audience."""
        ...

    async def page(self, after: UUID | None, limit: int) -> list[Audience]:
        """Return audiences in the order of their making."""
        ...

    async def add(self, audience: Audience) -> None:
        """Write a new audience; `ConflictError` when the name is taken."""
        ...

    async def save(self, audience: Audience) -> None:
        """Write an edited audience and let the campaigns that use it walk again."""
        ...

    async def count(self, audience: Filter) -> int:
        """Return how many contacts fit."""
        ...

    async def members(self, audience: Filter, after: UUID | None, limit: int) -> list[UUID]:
        """Return the next contacts that fit, in the order of their ids."""
        ...

    async def among(self, audience: Filter, contact_ids: Sequence[UUID]) -> list[UUID]:
        """Return which of *contact_ids* fit."""
        ...

    async def save_campaign(self, campaign: Campaign) -> None:
        """Write a campaign unless a later sequence is known; a changed audience is walked anew."""
        ...

    async def campaign(self, campaign_id: UUID) -> Campaign | None:
        """Return the campaign."""
        ...

    async def claim_walk(self) -> Campaign | None:
        """Return, locked, a campaign whose walk is not over and that no other instance walks."""
        ...

    async def walked(self, campaign_id: UUID, to: UUID | None, at: datetime | None) -> None:
        """Note how far the walk has come, and when it was over."""
        ...

    async def enrolling(self) -> list[Campaign]:
        """Return the campaigns that take people who match later."""
        ...

    async def claim_due(self, limit: int) -> list[UUID]:
        """Take contacts that changed off the list."""
        ...

    async def lock_contacts(self, contact_ids: Sequence[UUID]) -> list[Contact]:
        """Return contacts that are not erased, locked in the order of their ids."""
        ...

    async def suppressed(self, contact_ids: Sequence[UUID], purpose: str, now: datetime) -> tuple[set[UUID], set[str]]:
        """Return which persons may not be called for *purpose*, and which of their numbers (digests) may not."""
        ...

    async def enrol(self, campaign_id: UUID, contact_ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """Write enrolments and return who is newly in."""
        ...

    async def withdraw(self, contact_id: UUID, now: datetime) -> list[UUID]:
        """Take the person out of every campaign and return which."""
        ...

    async def enrolled(self, campaign_id: UUID) -> int:
        """Return how many are in."""
        ...


@dataclass(frozen=True, slots=True)
class Response:
    """What a person answered in one attempt, as last revised."""

    attempt_id: UUID
    revision: int
    campaign_id: UUID
    contact_id: UUID
    operator_id: UUID
    script_id: UUID
    script_version: int
    language: str
    disposition: str
    answers: list[dict[str, Any]]
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ResponseSearch:
    """What responses are looked for; *since* is included, *until* is not."""

    campaign_id: UUID | None = None
    contact_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to a person."""

    contact_id: UUID
    at: datetime
    id: UUID
    kind: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Handling:
    """Who had whom on the line in an attempt, as far as known."""

    attempt_id: UUID
    contact_id: UUID | None
    operator_id: UUID | None


class Responses(Protocol):
    """Responses, the timeline, and who handled whom."""

    async def save(self, responses: Sequence[Response]) -> None:
        """Write revisions; a repeat changes nothing."""
        ...

    async def page(self, search: ResponseSearch, after: tuple[datetime, UUID] | None, limit: int) -> list[Response]:
        """Return the latest revision of each response, the oldest first."""
        ...

    async def questions(self, search: ResponseSearch) -> list[str]:
        """Return the ids of the questions that were answered."""
        ...

    async def revisions(self, attempt_id: UUID) -> list[Response]:
        """Return every revision, the first one first."""
        ...

    async def note(self, entries: Sequence[Entry]) -> None:
        """Write timeline entries; a repeat changes nothing."""
        ...

    async def timeline(self, contact_id: UUID, before: tuple[datetime, UUID] | None, limit: int) -> list[Entry]:
        """Return entries, the newest first."""
        ...

    async def note_handlings(self, handlings: Sequence[Handling]) -> None:
        """Add what is known about attempts to what was known."""
        ...


class Tx(Protocol):
    """One open transaction; everything it did is kept or dropped together."""

    @property
    def contacts(self) -> Contacts:
        """Contacts."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Consents."""
        ...

    @property
    def imports(self) -> Imports:
        """Imports."""
        ...

    @property
    def audiences(self) -> Audiences:
        """Audiences and enrolments."""
        ...

    @property
    def responses(self) -> Responses:
        """Responses and the timeline."""
        ...

    async def announce(self, events: Sequence[Event], now: datetime) -> None:
        """Announce *events* when the transaction commits; their keys' rows are locked."""
        ...


class Store(Protocol):
    """The CRM's tables."""

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """Open a transaction that commits on leaving; `UnavailableError` when trying again may help."""
        ...


class PhoneDigest(Protocol):
    """The keyed digest of a number."""

    def __call__(self, number: str) -> str:
        """Return the digest of *number* in E.164."""
        ...
