"""Finds what JSON says twice: `{"suppressed": true, "suppressed": false}` has no meaning that one may rely on."""

import json
from typing import Any

import orjson


def repeated_field(raw: bytes, value: object) -> str | None:
    """Return the path of a field that stands twice in *raw*, None when none does; *value* is what orjson read there.

    What was read last is in *value* and what stood before it is lost, so written again it has fewer quotation marks.
    Only where they differ, or where an escape may hide one, is the text read a second time. What is nested hundreds
    deep raises `RecursionError`.
    """
    try:
        if raw.count(b'"') == orjson.dumps(value).count(b'"') and b"\\u0022" not in raw:
            return None
    except orjson.JSONEncodeError:
        pass  # It reads objects nested deeper than it writes.
    return _path(json.loads(raw, object_pairs_hook=_Pairs))


class _Pairs(list[tuple[str, Any]]):
    """An object as it stands in the text, with what is repeated."""


def _path(value: object) -> str | None:
    if isinstance(value, _Pairs):
        seen = set[str]()
        for key, item in value:
            if key in seen:
                return key
            seen.add(key)
            if (inner := _path(item)) is not None:
                return f"{key}{inner}" if inner.startswith("[") else f"{key}.{inner}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if (inner := _path(item)) is not None:
                return f"[{index}]{inner}" if inner.startswith("[") else f"[{index}].{inner}"
    return None
