"""What the CRM's HTTP interface takes and gives."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.crm.domain.attributes import Attribute, AttributeKind, Catalogue, check_values
from services.crm.domain.consents import Change, Channel, ConsentKind, ConsentLine, Standing, Suppression
from services.crm.domain.contacts import (
    MAX_NUMBERS,
    Contact,
    ContactDraft,
    Number,
    NumberKind,
    Relationship,
    parse_country,
    parse_email,
    parse_language,
    parse_number,
    parse_time_zone,
)
from services.crm.ports import Audience, Entry, Import, Response
from services.runtime.errors import FieldProblem, RejectedError
from services.runtime.http import Input

Short = Annotated[str, Field(max_length=500)]
JsonObject = dict[str, Any]


class View(BaseModel):
    """The base of what is given."""

    model_config = ConfigDict(frozen=True)


class NumberInput(Input):
    """A number as people write it."""

    number: str = Field(max_length=60, description="With its country code, or national with `default_region`.")
    kind: NumberKind | None = Field(None, description="Left out, the numbering plan tells.")


class ContactInput(Input):
    """What is said about a person; what is left out stays as it is."""

    numbers: list[NumberInput] | None = Field(None, min_length=1, max_length=MAX_NUMBERS)
    default_region: str | None = Field(None, description="Country (ISO 3166) of national numbers.", max_length=2)
    external_id: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    name: Short | None = None
    language: str | None = Field(None, max_length=20, description="BCP 47, such as cy or en-GB.")
    country: str | None = Field(None, max_length=2, description="ISO 3166 alpha-2.")
    region: Short | None = None
    postal_code: Short | None = None
    time_zone: str | None = Field(None, max_length=60, description="Name in the IANA database.")
    email: str | None = Field(None, max_length=254)
    relationship: Relationship | None = None
    relationship_since: date | None = None
    attributes: JsonObject = Field(default_factory=dict, description="By catalogue; null removes one.")

    def draft(self, catalogue: Catalogue) -> ContactDraft:
        """Return what is said in the CRM's own terms; `RejectedError` names every field that is not usable."""
        problems: list[FieldProblem] = []
        parsed: dict[str, Any] = {}
        for name, parse in _PARSERS.items():
            if (raw := getattr(self, name)) is not None:
                try:
                    parsed[name] = parse(raw)
                except RejectedError as error:
                    problems += error.fields
        numbers = self._numbers(parsed.get("country"), problems)
        attributes: dict[str, Any] = {}
        try:
            attributes = check_values(catalogue, self.attributes)
        except RejectedError as error:
            problems += error.fields
        if problems:
            raise RejectedError("The contact is not usable as it is.", fields=tuple(problems))
        return ContactDraft(
            numbers=numbers,
            external_id=self.external_id,
            name=self.name,
            region=self.region,
            postal_code=self.postal_code,
            relationship=self.relationship,
            relationship_since=self.relationship_since,
            attributes=attributes,
            **parsed,
        )

    def _numbers(self, country: str | None, problems: list[FieldProblem]) -> tuple[Number, ...]:
        found: dict[str, Number] = {}
        region = (self.default_region or country or "").upper() or None
        for place, one in enumerate(self.numbers or ()):
            try:
                number = parse_number(one.number, region)
            except RejectedError as error:
                problems.append(FieldProblem(f"numbers[{place}].number", error.fields[0].problem))
                continue
            found.setdefault(number.e164, Number(number.e164, one.kind or number.kind))
        return tuple(found.values())


_PARSERS = {
    "country": parse_country,
    "language": parse_language,
    "time_zone": parse_time_zone,
    "email": parse_email,
}


class NewContact(ContactInput):
    """A person to be called."""

    numbers: list[NumberInput] = Field(min_length=1, max_length=MAX_NUMBERS)  # pyright: ignore[reportIncompatibleVariableOverride]


class NumberView(View):
    """A number in E.164."""

    number: str
    kind: NumberKind


class ContactView(View):
    """A contact; *version* goes into `If-Match`."""

    id: UUID
    version: int
    numbers: list[NumberView]
    external_id: str | None
    name: str
    language: str | None
    country: str | None
    region: str | None
    postal_code: str | None
    time_zone: str | None
    email: str | None
    relationship: Relationship
    relationship_since: date | None
    attributes: JsonObject
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, one: Contact) -> "ContactView":
        """Return the view of *one*."""
        return cls(
            id=one.id,
            version=one.sequence,
            numbers=[NumberView(number=number.e164, kind=number.kind) for number in one.numbers],
            external_id=one.external_id,
            name=one.name,
            language=one.language,
            country=one.address.country,
            region=one.address.region,
            postal_code=one.address.postal_code,
            time_zone=one.address.time_zone,
            email=one.email,
            relationship=one.relationship,
            relationship_since=one.relationship_since,
            attributes=dict(one.attributes),
            created_at=one.created_at,
            changed_at=one.changed_at,
        )


class AttributeBody(Input):
    """An entry of the attribute catalogue."""

    name: str = Field(max_length=63, description="Small letters, digits and underscores.")
    kind: AttributeKind
    label: str = Field("", max_length=200)
    choices: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=200, description="For the kind choice."
    )

    def attribute(self) -> Attribute:
        """Return the entry."""
        return Attribute(self.name, self.kind, self.label, tuple(self.choices))

    @classmethod
    def of(cls, one: Attribute) -> "AttributeBody":
        """Return the view of *one*."""
        return cls(name=one.name, kind=one.kind, label=one.label, choices=list(one.choices))


class LineInput(Input):
    """What a person allowed or forbade."""

    change: Change
    channel: Channel = Channel.ALL
    purpose: str | None = Field(None, min_length=1, max_length=100, description="Left out: every purpose.")
    kind: ConsentKind = ConsentKind.EXPRESS
    source: str = Field(min_length=1, max_length=200, description="Where it was said, such as a form and its version.")
    at: datetime | None = Field(None, description="When it was said; left out, now.")
    outside_hours: bool = Field(False, description="Calls outside the usual hours are allowed too.")
    expires_at: datetime | None = Field(None, description="End of a withdrawal that is for a time only.")

    def line(self, now: datetime, by: UUID) -> ConsentLine:
        """Return the line, yet without its sequence; `RejectedError` for a time without a zone."""
        for name in ("at", "expires_at"):
            at: datetime | None = getattr(self, name)
            if at is not None and at.tzinfo is None:
                problem = FieldProblem(name, "expected a time with its zone, such as 2027-03-31T10:00:00Z")
                raise RejectedError("The time has no zone.", fields=(problem,))
        return ConsentLine(
            sequence=0,
            change=self.change,
            channel=self.channel,
            purpose=self.purpose,
            at=self.at or now,
            source=self.source,
            kind=self.kind,
            outside_hours=self.outside_hours,
            expires_at=self.expires_at,
            by=by,
        )


class NumberLineInput(LineInput):
    """The same for a number, whoever holds it."""

    number: str = Field(max_length=60)
    default_region: str | None = Field(None, max_length=2)


class LineView(View):
    """A line of the consent ledger."""

    sequence: int
    change: Change
    channel: Channel
    purpose: str | None
    kind: ConsentKind
    source: str
    at: datetime
    outside_hours: bool
    expires_at: datetime | None
    by: UUID | None

    @classmethod
    def of(cls, one: ConsentLine) -> "LineView":
        """Return the view of *one*."""
        return cls(
            sequence=one.sequence,
            change=one.change,
            channel=one.channel,
            purpose=one.purpose,
            kind=one.kind,
            source=one.source,
            at=one.at,
            outside_hours=one.outside_hours,
            expires_at=one.expires_at,
            by=one.by,
        )


class ConsentView(View):
    """A consent, in force unless it says since when it is not."""

    kind: ConsentKind
    channel: Channel
    purpose: str | None
    given_at: datetime
    withdrawn_at: datetime | None


class SuppressionView(View):
    """A channel that is forbidden."""

    channel: Channel
    purpose: str | None
    source: str
    at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, one: Suppression) -> "SuppressionView":
        """Return the view of *one*."""
        return cls(channel=one.channel, purpose=one.purpose, source=one.source, at=one.at, expires_at=one.expires_at)


class NumberSuppressionView(View):
    """What somebody else forbade for a number of this person: known by it only, or holding it as well."""

    number: str
    suppression: SuppressionView


class LedgerView(View):
    """Everything a person said about being reached, and what follows."""

    lines: list[LineView]
    consents: list[ConsentView]
    suppressions: list[SuppressionView]
    number_suppressions: list[NumberSuppressionView]

    @classmethod
    def of(
        cls, lines: list[ConsentLine], standing: Standing, of_numbers: list[tuple[str, Suppression]]
    ) -> "LedgerView":
        """Return the view of a ledger and what is in force after it, and what others forbade for the numbers."""
        return cls(
            lines=[LineView.of(line) for line in lines],
            consents=[
                ConsentView(
                    kind=one.kind,
                    channel=one.channel,
                    purpose=one.purpose,
                    given_at=one.given_at,
                    withdrawn_at=one.withdrawn_at,
                )
                for one in standing.consents
            ],
            suppressions=[SuppressionView.of(one) for one in standing.suppressions],
            number_suppressions=[
                NumberSuppressionView(number=number, suppression=SuppressionView.of(one)) for number, one in of_numbers
            ],
        )


class AudienceInput(Input):
    """A named filter over contacts."""

    name: str = Field(min_length=1, max_length=200)
    filter: JsonObject = Field(description="`all`, `any`, `not`, or `field`, `op` and `value`.")


class FilterInput(Input):
    """A filter to try out."""

    filter: JsonObject


class CountView(View):
    """How many contacts fit."""

    count: int


class AudienceView(View):
    """An audience; *version* goes into `If-Match`."""

    id: UUID
    name: str
    filter: JsonObject
    version: int
    created_at: datetime
    changed_at: datetime
    changed_by: UUID | None

    @classmethod
    def of(cls, one: Audience) -> "AudienceView":
        """Return the view of *one*."""
        return cls(
            id=one.id,
            name=one.name,
            filter=one.filter,
            version=one.version,
            created_at=one.created_at,
            changed_at=one.changed_at,
            changed_by=one.changed_by,
        )


class EnrolmentView(View):
    """How far the enrolment of a campaign is."""

    campaign_id: UUID
    state: str
    enrolled: int
    complete: bool = Field(description="Everybody was looked at once; people who match later still join.")


class ImportView(View):
    """An import: rows count from 1, the header."""

    id: UUID
    state: Literal["receiving", "waiting", "running", "done", "failed"]
    filename: str
    encoding: str
    delimiter: str
    columns: list[str]
    mapping: dict[str, str]
    size_bytes: int
    read_bytes: int
    last_row: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    failure: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, one: Import) -> "ImportView":
        """Return the view of *one*."""
        return cls(
            id=one.id,
            state=one.state.value,
            filename=one.filename,
            encoding=one.found.encoding,
            delimiter=one.found.delimiter,
            columns=list(one.found.header),
            mapping=one.mapping,
            size_bytes=one.size_bytes,
            read_bytes=one.size_bytes if one.state == "done" else one.position_bytes,
            last_row=one.last_row,
            created=one.created,
            updated=one.updated,
            unchanged=one.unchanged,
            rejected=one.rejected,
            failure=one.failure,
            created_at=one.created_at,
            finished_at=one.finished_at,
        )


class AnswerView(View):
    """One answer."""

    question_id: str
    kind: str
    question: str
    value: Any


class ResponseView(View):
    """What a person answered; answers point to the version of the script that was read."""

    attempt_id: UUID
    revision: int
    campaign_id: UUID
    contact_id: UUID
    operator_id: UUID
    script_id: UUID
    script_version: int
    language: str
    disposition: str
    answers: list[AnswerView]
    note: str
    at: datetime

    @classmethod
    def of(cls, one: Response) -> "ResponseView":
        """Return the view of *one*."""
        return cls(
            attempt_id=one.attempt_id,
            revision=one.revision,
            campaign_id=one.campaign_id,
            contact_id=one.contact_id,
            operator_id=one.operator_id,
            script_id=one.script_id,
            script_version=one.script_version,
            language=one.language,
            disposition=one.disposition,
            answers=[AnswerView(**answer) for answer in one.answers],
            note=one.note,
            at=one.at,
        )


class EntryView(View):
    """One thing that happened to a person."""

    id: UUID
    at: datetime
    kind: str
    body: JsonObject

    @classmethod
    def of(cls, one: Entry) -> "EntryView":
        """Return the view of *one*."""
        return cls(id=one.id, at=one.at, kind=one.kind, body=one.body)
