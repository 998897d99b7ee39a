"""Audiences: a named filter over contacts and their attributes, as a small typed language in JSON.

    {"all": [{"field": "country", "op": "in", "value": ["GB", "IE"]},
             {"not": {"field": "attributes.balance", "op": "lt", "value": 100}}]}

A condition on something unknown about a person is false, whatever the operator; `exists` asks whether it is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from services.crm.domain.attributes import ATTRIBUTES_PREFIX, AttributeKind, Catalogue, is_day, is_number
from services.crm.domain.contacts import Relationship
from services.runtime.errors import FieldProblem, RejectedError

MAX_CONDITIONS = 40
"""Conditions of one audience: more are a list of people, which belongs into an attribute."""

MAX_DEPTH = 8
"""Levels of nesting; nobody reads deeper ones, and the parser recurses."""

MAX_VALUES = 1000
"""Values of one `in`."""


class Op(StrEnum):
    """How a field is compared with a value; texts compare exactly, capitals included."""

    EQ = "eq"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    EXISTS = "exists"


FIELDS: dict[str, AttributeKind] = {
    "external_id": AttributeKind.TEXT,
    "name": AttributeKind.TEXT,
    "language": AttributeKind.TEXT,
    "country": AttributeKind.TEXT,
    "region": AttributeKind.TEXT,
    "postal_code": AttributeKind.TEXT,
    "time_zone": AttributeKind.TEXT,
    "email": AttributeKind.TEXT,
    "relationship": AttributeKind.CHOICE,
    "relationship_since": AttributeKind.DATE,
    "created_on": AttributeKind.DATE,
}
"""What a filter may ask of every contact; `attributes.NAME` asks for an attribute. `created_on` is the day in UTC."""

_ORDERED = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_TEXTUAL = frozenset({Op.CONTAINS, Op.STARTS_WITH})
_OPS: dict[AttributeKind, frozenset[Op]] = {
    AttributeKind.TEXT: frozenset({Op.EQ, Op.IN, Op.EXISTS}) | _TEXTUAL,
    AttributeKind.CHOICE: frozenset({Op.EQ, Op.IN, Op.EXISTS}),
    AttributeKind.NUMBER: frozenset({Op.EQ, Op.IN, Op.EXISTS}) | _ORDERED,
    AttributeKind.DATE: frozenset({Op.EQ, Op.IN, Op.EXISTS}) | _ORDERED,
    AttributeKind.BOOL: frozenset({Op.EQ, Op.EXISTS}),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; *kind* is what the field holds, so that *value* is of that kind (a tuple for `in`)."""

    field: str
    op: Op
    value: Any
    kind: AttributeKind


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is; an empty one is everybody."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """True when some part is; an empty one is nobody."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is false, also where something is unknown."""

    part: "Filter"


Filter = All | Either | Not | Condition


def parse_filter(raw: object, catalogue: Catalogue) -> Filter:
    """Return the JSON value *raw* as a filter. Raises `RejectedError` naming every wrong part by its path."""
    parser = _Parser(catalogue)
    parsed = parser.parse(raw, "filter", 1)
    if parser.conditions > MAX_CONDITIONS:
        parser.problem("filter", f"has {parser.conditions} conditions; at most {MAX_CONDITIONS} are taken")
    if parser.problems or parsed is None:
        raise RejectedError("The filter cannot be used.", fields=tuple(parser.problems))
    return parsed


class _Parser:
    """Walks the JSON once and collects every problem, so that an author mends them in one go."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.problems: list[FieldProblem] = []
        self.conditions = 0

    def problem(self, path: str, text: str) -> None:
        self.problems.append(FieldProblem(path, text))

    def parse(self, raw: object, path: str, depth: int) -> Filter | None:
        if depth > MAX_DEPTH:
            return self.problem(path, f"is nested deeper than {MAX_DEPTH} levels")
        if not isinstance(raw, dict):
            return self.problem(path, "expected an object with all, any, not, or field, op and value")
        node = cast("dict[str, object]", raw)
        match sorted(node):
            case ["all"]:
                parts = self._parts(node["all"], f"{path}.all", depth)
                return None if parts is None else All(parts)
            case ["any"]:
                parts = self._parts(node["any"], f"{path}.any", depth)
                return None if parts is None else Either(parts)
            case ["not"]:
                part = self.parse(node["not"], f"{path}.not", depth + 1)
                return None if part is None else Not(part)
            case ["field", "op", "value"]:
                return self._condition(node, path)
            case _:
                return self.problem(path, "expected exactly one of all, any, not; or field, op and value together")

    def _parts(self, raw: object, path: str, depth: int) -> tuple[Filter, ...] | None:
        if not isinstance(raw, list):
            return self.problem(path, "expected a list of conditions")
        items = cast("list[object]", raw)
        if len(items) > MAX_CONDITIONS:
            return self.problem(path, f"has {len(items)} parts; at most {MAX_CONDITIONS} are taken")
        parts = [self.parse(item, f"{path}[{place}]", depth + 1) for place, item in enumerate(items)]
        return tuple(part for part in parts if part is not None)

    def _condition(self, node: dict[str, object], path: str) -> Condition | None:
        self.conditions += 1
        field, kind = node["field"], self._kind(node["field"])
        if kind is None or not isinstance(field, str):
            known = ", ".join(FIELDS)
            return self.problem(f"{path}.field", f"is no field; expected one of {known} or attributes.NAME")
        try:
            op = Op(str(node["op"]))
        except ValueError:
            return self.problem(f"{path}.op", "is no operator; expected one of " + ", ".join(Op))
        if op not in _OPS[kind]:
            return self.problem(f"{path}.op", f"{op} does not fit a {kind}; expected one of {_listed(_OPS[kind])}")
        value, expected = self._value(field, kind, op, node["value"])
        if expected is not None:
            return self.problem(f"{path}.value", f"expected {expected}")
        return Condition(field, op, value, kind)

    def _kind(self, field: object) -> AttributeKind | None:
        if not isinstance(field, str):
            return None
        if field.startswith(ATTRIBUTES_PREFIX):
            attribute = self._catalogue.get(field.removeprefix(ATTRIBUTES_PREFIX))
            return attribute.kind if attribute else None
        return FIELDS.get(field)

    def _value(self, field: str, kind: AttributeKind, op: Op, value: object) -> tuple[object, str | None]:
        fits, expected = self._values_of(field, kind)
        if op is Op.EXISTS:
            return value, None if isinstance(value, bool) else "true or false"
        if op is not Op.IN:
            return value, None if fits(value) else expected
        if not isinstance(value, list):
            return value, "a list"
        items = tuple(cast("list[object]", value))
        if not 0 < len(items) <= MAX_VALUES:
            return items, f"a list of 1 to {MAX_VALUES} values"
        return items, None if all(fits(item) for item in items) else f"a list of which each is {expected}"

    def _values_of(self, field: str, kind: AttributeKind) -> tuple[Callable[[object], bool], str]:
        if kind is AttributeKind.CHOICE:
            attribute = self._catalogue.get(field.removeprefix(ATTRIBUTES_PREFIX))
            choices = attribute.choices if attribute and field != "relationship" else tuple(Relationship)
            return (lambda value: isinstance(value, str) and value in choices), "one of " + ", ".join(choices)
        return _VALUES[kind]


_VALUES: dict[AttributeKind, tuple[Callable[[object], bool], str]] = {
    # PostgreSQL's text cannot hold a NUL, so neither can what is compared with it.
    AttributeKind.TEXT: (
        lambda value: isinstance(value, str) and len(value) <= 1000 and "\x00" not in value,
        "a text of up to 1000 characters",
    ),
    AttributeKind.NUMBER: (is_number, "a number"),
    AttributeKind.DATE: (lambda value: isinstance(value, str) and is_day(value), "a day such as 2027-03-31"),
    AttributeKind.BOOL: (lambda value: isinstance(value, bool), "true or false"),
}


def _listed(ops: frozenset[Op]) -> str:
    return ", ".join(op for op in Op if op in ops)
