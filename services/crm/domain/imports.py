"""What a contact file's columns mean, and what each of its rows says about a person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.crm.domain.attributes import ATTRIBUTES_PREFIX, Attribute, Catalogue, DateFormat, parse_date, parse_value
from services.crm.domain.contacts import (
    MAX_NUMBERS,
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
from services.crm.domain.records import MAX_FIELD, FileFormat, Record
from services.crm.domain.tables import cell_meaning
from services.runtime.errors import FieldProblem, RejectedError


class ImportState(StrEnum):
    """Where an import stands; `receiving` turns into `waiting` when the whole file has arrived."""

    RECEIVING = "receiving"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Target(StrEnum):
    """What a column can say."""

    PHONE = "phone"
    MOBILE = "mobile"
    LANDLINE = "landline"
    EXTERNAL_ID = "external_id"
    NAME = "name"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    LANGUAGE = "language"
    COUNTRY = "country"
    REGION = "region"
    POSTAL_CODE = "postal_code"
    TIME_ZONE = "time_zone"
    EMAIL = "email"
    RELATIONSHIP = "relationship"
    RELATIONSHIP_SINCE = "relationship_since"
    IGNORE = "ignore"


NUMBER_TARGETS = (Target.PHONE, Target.MOBILE, Target.LANDLINE)

_ALIASES: dict[str, Target] = {
    **{target.value: target for target in Target if target is not Target.IGNORE},
    "telephone": Target.PHONE,
    "tel": Target.PHONE,
    "phone_number": Target.PHONE,
    "number": Target.PHONE,
    "mobile_phone": Target.MOBILE,
    "mobile_number": Target.MOBILE,
    "cell": Target.MOBILE,
    "cell_phone": Target.MOBILE,
    "home_phone": Target.LANDLINE,
    "id": Target.EXTERNAL_ID,
    "customer_id": Target.EXTERNAL_ID,
    "full_name": Target.NAME,
    "given_name": Target.FIRST_NAME,
    "surname": Target.LAST_NAME,
    "family_name": Target.LAST_NAME,
    "lang": Target.LANGUAGE,
    "country_code": Target.COUNTRY,
    "state": Target.REGION,
    "county": Target.REGION,
    "postcode": Target.POSTAL_CODE,
    "zip": Target.POSTAL_CODE,
    "zip_code": Target.POSTAL_CODE,
    "timezone": Target.TIME_ZONE,
    "e_mail": Target.EMAIL,
    "email_address": Target.EMAIL,
    "customer_since": Target.RELATIONSHIP_SINCE,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: its name there and what it says; no target and no attribute when it is left out."""

    name: str
    target: Target | None = None
    attribute: Attribute | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read the rows of one file."""

    columns: tuple[Column, ...]
    default_region: str | None
    date_format: DateFormat

    @property
    def ignored(self) -> tuple[str, ...]:
        """The columns that are left out."""
        return tuple(column.name for column in self.columns if column.target is None and column.attribute is None)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row, or one field of it, was not taken; *value* is shortened to what helps to find it."""

    row: int
    field: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a row says; no draft when the row is left out. A draft may come with problems: fields left out."""

    row: int
    draft: ContactDraft | None
    problems: tuple[RowProblem, ...] = ()


def plan_layout(
    found: FileFormat,
    mapping: Mapping[str, str],
    catalogue: Catalogue,
    *,
    default_region: str | None = None,
    date_format: DateFormat = DateFormat.ISO,
) -> Layout:
    """Return what each column means: by *mapping* (header name to target), else by its name.

    Raises `RejectedError` naming every column of the mapping that is not there, every target that is none, and a file
    from which no number could come.
    """
    problems: list[FieldProblem] = []
    wanted = {name.casefold(): target for name, target in mapping.items()}
    present = {name.casefold() for name in found.header}
    for name in mapping:
        if name.casefold() not in present:
            listed = ", ".join(found.header)
            problems.append(FieldProblem(f"mapping.{name}", f"is no column of the file; it has {listed}"))
    columns = tuple(_column(name, wanted.get(name.casefold()), catalogue, problems) for name in found.header)
    region = parse_country(default_region) if default_region else None
    _check_targets(columns, problems)
    if problems:
        raise RejectedError("The columns of the file cannot be used. Nothing was imported.", fields=tuple(problems))
    return Layout(columns, region, date_format)


def _column(name: str, wanted: str | None, catalogue: Catalogue, problems: list[FieldProblem]) -> Column:
    if wanted is None:
        plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
        target = _ALIASES.get(plain) or _ALIASES.get(re.sub(r"_?\d+$", "", plain))
        return Column(name, target, None if target else catalogue.get(plain))
    if wanted == Target.IGNORE:
        return Column(name)
    if wanted.startswith(ATTRIBUTES_PREFIX):
        attribute = catalogue.get(wanted.removeprefix(ATTRIBUTES_PREFIX))
        if attribute is None:
            problems.append(FieldProblem(f"mapping.{name}", f"{wanted} is not in the attribute catalogue"))
        return Column(name, None, attribute)
    if wanted not in set(Target):
        known = ", ".join(Target)
        problems.append(FieldProblem(f"mapping.{name}", f"{wanted} is unknown; expected {known} or attributes.NAME"))
        return Column(name)
    return Column(name, Target(wanted))


def _check_targets(columns: Sequence[Column], problems: list[FieldProblem]) -> None:
    targets = [column.target for column in columns if column.target and column.target not in NUMBER_TARGETS]
    problems.extend(
        FieldProblem("mapping", f"more than one column says {target}; map all but one to ignore")
        for target in sorted({target for target in targets if targets.count(target) > 1})
    )
    if not any(column.target in NUMBER_TARGETS for column in columns):
        listed = ", ".join(column.name for column in columns)
        problems.append(
            FieldProblem(
                "mapping", f"no column holds phone numbers; name one phone or map one to it. The file has {listed}"
            )
        )


def read_row(layout: Layout, record: Record) -> Reading:
    """Return what *record* says about a person, or why it says nothing usable.

    A row with at least one usable number is taken without its unusable ones, which are reported; any other problem
    leaves the row out, since a half-read person would be called by wrong rules.
    """
    if (refusal := _refusal(layout, record)) is not None:
        return Reading(record.row, None, (refusal,))
    reader = _RowReader(layout, record.row)
    for column, text in zip(layout.columns, record.fields, strict=True):
        if text := cell_meaning(text.strip()):
            reader.take(column, text)
    return reader.reading()


def _refusal(layout: Layout, record: Record) -> RowProblem | None:
    if record.problem:
        return RowProblem(record.row, "", "", f"the row {record.problem}")
    if len(record.fields) != len(layout.columns):
        reason = f"the row has {len(record.fields)} fields where the header has {len(layout.columns)}"
        return RowProblem(record.row, "", "", reason)
    for column, text in zip(layout.columns, record.fields, strict=True):
        if len(text) > MAX_FIELD or len(text.encode()) > MAX_FIELD:
            return RowProblem(record.row, column.name, text[:80], f"the field is longer than {MAX_FIELD // 1024} KB")
        if "\x00" in text or "\ufffd" in text:
            reason = "the field has a character that is none; save the file as UTF-8"
            return RowProblem(record.row, column.name, text[:80].replace("\x00", ""), reason)
    return None


class _RowReader:
    """Gathers one row field by field."""

    def __init__(self, layout: Layout, row: int) -> None:
        self._layout = layout
        self._row = row
        self._said: dict[Target, str] = {}
        self._parsed: dict[str, Any] = {}
        self._attributes: dict[str, Any] = {}
        self._numbers: list[tuple[Column, str]] = []
        self._problems: list[RowProblem] = []

    def take(self, column: Column, text: str) -> None:
        if column.attribute:
            try:
                self._attributes[column.attribute.name] = parse_value(column.attribute, text, self._layout.date_format)
            except ValueError as error:
                self._problem(column, text, str(error))
        elif column.target in NUMBER_TARGETS:
            self._numbers += [(column, part.strip()) for part in text.split(";") if part.strip()]
        elif column.target:
            self._take_target(column, column.target, text)

    def _take_target(self, column: Column, target: Target, text: str) -> None:
        try:
            match target:
                case Target.COUNTRY:
                    self._parsed["country"] = parse_country(text)
                case Target.LANGUAGE:
                    self._parsed["language"] = parse_language(text)
                case Target.TIME_ZONE:
                    self._parsed["time_zone"] = parse_time_zone(text)
                case Target.EMAIL:
                    self._parsed["email"] = parse_email(text)
                case Target.RELATIONSHIP:
                    self._parsed["relationship"] = _relationship(text)
                case Target.RELATIONSHIP_SINCE:
                    self._parsed["relationship_since"] = parse_date(text, self._layout.date_format)
                case _:
                    self._said[target] = _short(text)
        except RejectedError as error:
            self._problem(column, text, error.fields[0].problem if error.fields else error.message)
        except ValueError as error:
            self._problem(column, text, str(error))

    def reading(self) -> Reading:
        if self._problems:
            return Reading(self._row, None, tuple(self._problems))
        numbers = self._read_numbers()
        if not numbers:
            problems = self._problems or [RowProblem(self._row, self._number_columns(), "", "the row has no number")]
            return Reading(self._row, None, tuple(problems))
        parts = [self._said[part] for part in (Target.FIRST_NAME, Target.LAST_NAME) if part in self._said]
        draft = ContactDraft(
            numbers=numbers,
            external_id=self._said.get(Target.EXTERNAL_ID),
            name=self._said.get(Target.NAME) or " ".join(parts) or None,
            region=self._said.get(Target.REGION),
            postal_code=self._said.get(Target.POSTAL_CODE),
            attributes=self._attributes,
            **self._parsed,
        )
        return Reading(self._row, draft, tuple(self._problems))

    def _read_numbers(self) -> tuple[Number, ...]:
        region = self._parsed.get("country") or self._layout.default_region
        found: dict[str, Number] = {}
        for column, text in self._numbers:
            try:
                number = parse_number(text, region)
            except RejectedError as error:
                self._problem(column, text, error.fields[0].problem)
                continue
            if column.target is not Target.PHONE and number.kind is NumberKind.UNKNOWN:
                number = Number(number.e164, NumberKind(str(column.target)))
            found.setdefault(number.e164, number)
        for extra in list(found)[MAX_NUMBERS:]:
            self._problem(Column(self._number_columns()), extra, f"a contact has at most {MAX_NUMBERS} numbers")
        return tuple(found.values())[:MAX_NUMBERS]

    def _number_columns(self) -> str:
        return "; ".join(column.name for column in self._layout.columns if column.target in NUMBER_TARGETS)

    def _problem(self, column: Column, text: str, reason: str) -> None:
        self._problems.append(RowProblem(self._row, column.name, text[:80], reason))


def _relationship(text: str) -> Relationship:
    try:
        return Relationship(re.sub(r"[ -]+", "_", text.casefold()))
    except ValueError as error:
        raise ValueError("expected one of " + ", ".join(Relationship)) from error


def _short(text: str) -> str:
    if len(text) > MAX_SHORT:
        raise ValueError(f"is longer than {MAX_SHORT} characters")
    return text


MAX_SHORT = 500
"""Characters of a name, an external id, a region or a postal code."""
