"""From an audience's filter to SQL: the text is built of literals only, everything from outside travels as parameters.

The type checker holds it to that: `LiteralString` refuses any text that was not written in this file.
"""

from typing import Any, LiteralString

from services.crm.domain.attributes import ATTRIBUTES_PREFIX, AttributeKind
from services.crm.domain.audiences import All, Condition, Either, Filter, Not, Op
from services.runtime.errors import RejectedError

_DIGITS: LiteralString = "0123456789"
_MAX_PARAMETERS = 99

_COLUMNS: dict[str, LiteralString] = {
    "external_id": "c.external_id",
    "name": "nullif(c.name, '')",
    "language": "c.language",
    "country": "c.country",
    "region": "c.region",
    "postal_code": "c.postal_code",
    "time_zone": "c.time_zone",
    "email": "c.email",
    "relationship": "c.relationship",
    "relationship_since": "c.relationship_since::text",
    "created_on": "(c.created_at AT TIME ZONE 'UTC')::date::text",
}
_SIGNS: dict[Op, LiteralString] = {Op.EQ: " = ", Op.LT: " < ", Op.LE: " <= ", Op.GT: " > ", Op.GE: " >= "}
_TYPES: dict[AttributeKind, LiteralString] = {
    AttributeKind.TEXT: "::text",
    AttributeKind.CHOICE: "::text",
    # Days compare as texts: YYYY-MM-DD sorts as the calendar does.
    AttributeKind.DATE: "::text",
    AttributeKind.NUMBER: "::float8",
    AttributeKind.BOOL: "::boolean",
}
_JSON_TYPES: dict[AttributeKind, LiteralString] = {
    AttributeKind.TEXT: "'string'",
    AttributeKind.CHOICE: "'string'",
    AttributeKind.DATE: "'string'",
    AttributeKind.NUMBER: "'number'",
    AttributeKind.BOOL: "'boolean'",
}


class Predicate:
    """A condition over `contacts c` in SQL, and the values of its parameters."""

    def __init__(self, audience: Filter, *first: Any) -> None:
        """Translate *audience*; the statement around it uses *first* as its own first parameters."""
        self.parameters: list[Any] = list(first)
        self.sql: LiteralString = self._translate(audience)

    def within(self, statement: LiteralString) -> tuple[LiteralString, list[Any]]:
        """Return *statement* with the condition in its place, and the values of all parameters."""
        return statement.replace("true /* filter */", self.sql), self.parameters

    def _translate(self, node: Filter) -> LiteralString:
        match node:
            case All(parts):
                return "(" + " AND ".join([self._translate(part) for part in parts]) + ")" if parts else "true"
            case Either(parts):
                return "(" + " OR ".join([self._translate(part) for part in parts]) + ")" if parts else "false"
            case Not(part):
                return "NOT " + self._translate(part)
            case Condition():
                # An unknown value is false, never null: a NOT around it must come out true.
                return "coalesce(" + self._condition(node) + ", false)"

    def _condition(self, node: Condition) -> LiteralString:
        known = self._known(node)
        kind = _TYPES[node.kind]
        match node.op:
            case Op.EXISTS:
                return "(" + known + ") IS NOT NULL" if node.value else "(" + known + ") IS NULL"
            case Op.IN:
                return known + " = ANY(" + self._parameter(list(node.value)) + kind + "[])"
            case Op.CONTAINS:
                return "strpos(" + known + ", " + self._parameter(node.value) + kind + ") > 0"
            case Op.STARTS_WITH:
                return "starts_with(" + known + ", " + self._parameter(node.value) + kind + ")"
            case Op.EQ | Op.LT | Op.LE | Op.GT | Op.GE:
                return known + _SIGNS[node.op] + self._parameter(node.value) + kind

    def _known(self, node: Condition) -> LiteralString:
        if not node.field.startswith(ATTRIBUTES_PREFIX):
            return _COLUMNS[node.field] + ' COLLATE "C"'
        name = self._parameter(node.field.removeprefix(ATTRIBUTES_PREFIX)) + "::text"
        # CASE keeps the cast away from values of another type; AND would not promise the order.
        value = (
            "CASE WHEN jsonb_typeof(c.attributes -> " + name + ") = " + _JSON_TYPES[node.kind]
            + " THEN (c.attributes ->> " + name + ")" + _TYPES[node.kind] + " END"
        )  # fmt: skip
        return "(" + value + ")" + (' COLLATE "C"' if _TYPES[node.kind] == "::text" else "")

    def _parameter(self, value: Any) -> LiteralString:
        self.parameters.append(value)
        number = len(self.parameters)
        if number > _MAX_PARAMETERS:
            raise RejectedError(f"The filter needs more than {_MAX_PARAMETERS} values; make it smaller.")
        return "$" + _DIGITS[number // 10] + _DIGITS[number % 10]
