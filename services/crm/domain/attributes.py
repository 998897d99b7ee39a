"""The typed catalogue of contact attributes: what an organisation knows about its people beyond the address."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from services.runtime.errors import FieldProblem, RejectedError

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Names that read the same in a file's header, in a filter and in a script's text."""

ATTRIBUTES_PREFIX = "attributes."
"""What precedes an attribute's name where it stands among a contact's own fields."""

MAX_TEXT = 1000
"""Characters of a text attribute; longer texts belong into a note, not into every enrolment on Kafka."""

MAX_ATTRIBUTES = 50
"""Entries of the catalogue: an enrolment carries them all, and must stay well under what Kafka takes."""


class AttributeKind(StrEnum):
    """What values an attribute takes."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOL = "bool"
    CHOICE = "choice"


class DateFormat(StrEnum):
    """How a file writes dates; there is no guessing, since 03/04 is two different days."""

    ISO = "YYYY-MM-DD"
    DAY_FIRST = "DD/MM/YYYY"
    MONTH_FIRST = "MM/DD/YYYY"
    DAY_FIRST_DOTS = "DD.MM.YYYY"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One entry of the catalogue; its kind never changes, since values of the old kind are stored."""

    name: str
    kind: AttributeKind
    label: str = ""
    choices: tuple[str, ...] = ()


Catalogue = Mapping[str, Attribute]


def check_attribute(attribute: Attribute) -> None:
    """Refuse a catalogue entry that no value could satisfy, naming everything wrong at once."""
    problems: list[FieldProblem] = []
    if not NAME.fullmatch(attribute.name):
        problems.append(
            FieldProblem("name", "expected up to 63 small letters, digits and underscores, beginning with a letter")
        )
    if (attribute.kind is AttributeKind.CHOICE) != bool(attribute.choices):
        problems.append(FieldProblem("choices", "expected for the kind choice, at least one, and for no other kind"))
    if len(set(attribute.choices)) != len(attribute.choices) or "" in attribute.choices:
        problems.append(FieldProblem("choices", "expected different choices, none of them empty"))
    if problems:
        raise RejectedError("The attribute cannot be added.", fields=tuple(problems))


def check_values(catalogue: Catalogue, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* (from JSON) as they are stored; None stays, it removes. Names every unknown or wrong one."""
    checked: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, value in values.items():
        attribute = catalogue.get(name)
        if attribute is None:
            problems.append(FieldProblem(f"attributes.{name}", "not in the attribute catalogue; add it there first"))
        elif value is None:
            checked[name] = None
        elif (problem := _value_problem(attribute, value)) is not None:
            problems.append(FieldProblem(f"attributes.{name}", problem))
        else:
            checked[name] = value
    if problems:
        raise RejectedError("Some attributes are not usable.", fields=tuple(problems))
    return checked


def parse_value(attribute: Attribute, raw: str, date_format: DateFormat) -> str | float | bool:
    """Return the text *raw* of a file as a value of *attribute*. Raises `ValueError` saying what was expected."""
    match attribute.kind:
        case AttributeKind.TEXT:
            value: str | float | bool = raw
        case AttributeKind.NUMBER:
            value = _parse_decimal(raw)
        case AttributeKind.DATE:
            value = parse_date(raw, date_format).isoformat()
        case AttributeKind.BOOL:
            value = _parse_bool(raw)
        case AttributeKind.CHOICE:
            value = raw
    if (problem := _value_problem(attribute, value)) is not None:
        raise ValueError(problem)
    return value


def parse_date(raw: str, date_format: DateFormat) -> date:
    """Return the day *raw* names in exactly *date_format*. Raises `ValueError` saying what was expected."""
    pattern, order = _DATES[date_format]
    found = pattern.fullmatch(raw)
    if found is None:
        raise ValueError(f"not a date; expected {date_format.value}")
    parts = {part: int(text) for part, text in zip(order, found.groups(), strict=True)}
    try:
        return date(parts["y"], parts["m"], parts["d"])
    except ValueError as error:
        raise ValueError(f"no day of the calendar; expected {date_format.value}") from error


_DATES: dict[DateFormat, tuple[re.Pattern[str], str]] = {
    DateFormat.ISO: (re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"), "ymd"),
    DateFormat.DAY_FIRST: (re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"), "dmy"),
    DateFormat.MONTH_FIRST: (re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"), "mdy"),
    DateFormat.DAY_FIRST_DOTS: (re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})"), "dmy"),
}


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _value_problem(attribute: Attribute, value: object) -> str | None:
    match attribute.kind:
        case AttributeKind.TEXT:
            ok = isinstance(value, str) and len(value) <= MAX_TEXT and not _CONTROLS.search(value)
            expected = f"a text of up to {MAX_TEXT} characters without control characters"
        case AttributeKind.NUMBER:
            ok, expected = is_number(value), "a number"
        case AttributeKind.DATE:
            ok, expected = isinstance(value, str) and is_day(value), "a day such as 2027-03-31"
        case AttributeKind.BOOL:
            ok, expected = isinstance(value, bool), "true or false"
        case AttributeKind.CHOICE:
            ok, expected = value in attribute.choices, "one of " + ", ".join(attribute.choices)
    return None if ok else f"expected {expected}"


def is_number(value: object) -> bool:
    """Tell whether *value* is a finite number; JSON's true is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_day(text: str) -> bool:
    """Tell whether *text* is a day in the form YYYY-MM-DD."""
    try:
        parse_date(text, DateFormat.ISO)
    except ValueError:
        return False
    return True


def _parse_decimal(raw: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", raw):
        raise ValueError("expected a number such as 1234.5, with a point and without thousands separators")
    number = float(raw)
    return int(number) if number.is_integer() and "." not in raw else number


def _parse_bool(raw: str) -> bool:
    try:
        return _BOOLS[raw.casefold()]
    except KeyError as error:
        raise ValueError("expected yes or no, true or false, 1 or 0") from error


_BOOLS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
