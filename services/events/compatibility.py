"""Which changes of a schema are refused: records that were written yesterday must mean the same tomorrow.

Outboxes, logs, dead letters and parked keys hold records of every age, and partners read ours. So under one version a
field that was promised stays, a value that was accepted is accepted, and what may be left out may be left out. Readers
are deployed before writers, so a new optional field or a further value is no break; anything else is a new version.
"""

from collections.abc import Iterator
from typing import Any

from services.events.schemas import Json

_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("format", "pattern", "multipleOf", "contentEncoding", "uniqueItems")


def breaks(old: Json, new: Json) -> list[str]:
    """Return a sentence for every way in which *new* breaks what *old*, of the same type and version, promised."""
    found = [
        f"{old['x-type']} moved from {old['x-topic']} to {new['x-topic']}"
        for key in ("x-topic",)
        if old.get(key) != new.get(key)
    ]
    return found + list(dict.fromkeys(_Comparison(old, new).message(old, new, "")))


class _Comparison:
    """Two documents whose references are followed; a pair of definitions is compared once."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = old.get("$defs", {})
        self._new = new.get("$defs", {})
        self._entered: set[tuple[str, str]] = set()

    def message(self, old: Json, new: Json, path: str) -> Iterator[str]:
        """Compare two objects field by field."""
        fields, present = old.get("properties", {}), new.get("properties", {})
        for name, field in fields.items():
            where = f"{path}.{name}".lstrip(".")
            if name not in present:
                yield f"{where} was removed"
                continue
            yield from self.value(field, present[name], where)
            if "default" in field and "default" in present[name] and field["default"] != present[name]["default"]:
                yield f"{where} has another default: where it was left out, it meant {field['default']!r}"
        for name in new.get("required", ()):
            if name not in old.get("required", ()):
                change = "became required" if name in fields else "is new and required"
                yield f"{path}.{name} {change}: records without it exist".lstrip(".")
        if old.get("additionalProperties", True) is not False and new.get("additionalProperties") is False:
            yield f"{path or 'the record'} refuses unknown fields now"

    def value(self, old: Json, new: Json, path: str) -> Iterator[str]:
        """Compare what a field may hold: every alternative of *old* must still fit one of *new*."""
        if self._seen(old, new):
            return
        alternatives = [self._resolve(one, self._new) for one in _alternatives(new)]
        for one in _alternatives(old):
            before = self._resolve(one, self._old)
            reasons = [list(self._narrower(before, after, path)) for after in alternatives]
            if all(reasons):
                yield from min(reasons, key=len)

    def _seen(self, old: Json, new: Json) -> bool:
        pair = (str(old.get("$ref")), str(new.get("$ref")))
        if "$ref" not in old or "$ref" not in new:
            return False
        known = pair in self._entered
        self._entered.add(pair)
        return known

    def _narrower(self, old: Json, new: Json, path: str) -> Iterator[str]:
        """Say why a value that fits *old* may not fit *new*; nothing when it always does."""
        kind, now = old.get("type"), new.get("type")
        if now is not None and kind != now and (kind, now) != ("integer", "number"):
            yield f"{path} was {kind or 'anything'} and is {now}"
            return
        yield from _fewer_values(old, new, path)
        yield from _tighter(old, new, path)
        if kind == "object" and ("properties" in old or "properties" in new):
            yield from self.message(old, new, path)
        for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(new.get(key), dict):
                before = old.get(key)
                yield from self.value(before if isinstance(before, dict) else {}, new[key], path + suffix)
        if old.get("prefixItems") != new.get("prefixItems"):
            yield f"{path} has other items"

    def _resolve(self, schema: Json, definitions: Json) -> Json:
        reference = schema.get("$ref")
        return definitions[reference.rpartition("/")[2]] if isinstance(reference, str) else schema


def _alternatives(schema: Json) -> list[Json]:
    return [inner for one in schema["anyOf"] for inner in _alternatives(one)] if "anyOf" in schema else [schema]


def _values(schema: Json) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _fewer_values(old: Json, new: Json, path: str) -> Iterator[str]:
    before, after = _values(old), _values(new)
    if after is None:
        return
    if before is None:
        yield f"{path} was free and is one of {after}"
    elif gone := [value for value in before if value not in after]:
        yield f"{path} no longer takes {', '.join(map(repr, gone))}"


def _tighter(old: Json, new: Json, path: str) -> Iterator[str]:
    for key in _LEAST:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{path} has a tighter {key}: {new[key]}"
    for key in _MOST:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{path} has a tighter {key}: {new[key]}"
    for key in _SAME:
        if new.get(key) and new.get(key) != old.get(key):
            yield f"{path} has another {key}: {new[key]}"
