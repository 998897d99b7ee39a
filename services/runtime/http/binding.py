"""From an untrusted request to a handler's typed arguments; whatever does not fit is a problem naming the field."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Any, get_origin

import orjson
from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from services.runtime.errors import FieldProblem, RejectedError
from services.runtime.http.call import Call, Upload
from services.runtime.http.problems import RequestError, rejected
from services.runtime.http.routes import Route
from services.runtime.repeats import repeated_field

# Beyond this a double, and so JavaScript, cannot tell integers apart (RFC 7493); bigint ends not far above.
_LARGEST_INT = 2**53 - 1
_SUSPICIOUS = re.compile(rb"\\u0000|\d{16}")


async def arguments(route: Route, call: Call, body: bytes, limit: int) -> dict[str, Any]:
    """Return the keyword arguments for the route's handler; raise `RejectedError` or `RequestError`."""
    found = {name: _path_value(name, kind, call.request) for name, kind in route.path_types.items()}
    query = _query(route, call.request)
    if route.query_type is not None:
        found["query"] = query
    if route.body_type is not None:
        found["body"] = _body(route.body_type, body)
    if route.upload_name is not None:
        found[route.upload_name] = _upload(route, call.request, limit)
    if route.call_name is not None:
        found[route.call_name] = call
    return found


def check_content_type(route: Route, request: web.Request) -> None:
    """Refuse a body in a form the route does not take, before reading it."""
    accepted = route.accepts or (("application/json",) if route.body_type is not None else ())
    if not accepted:
        return
    given = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    charset = (request.charset or "utf-8").lower().replace("_", "-")
    if given not in accepted or charset not in ("utf-8", "utf8", "us-ascii"):
        expected = " or ".join(accepted)
        raise RequestError(415, "unsupported-content-type", f"Send the body as {expected} in UTF-8.")


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the whole body; 413 as soon as it is known to exceed *limit* bytes."""
    return b"".join([chunk async for chunk in _limited(request, limit)])


async def _limited(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    size = request.content_length or 0
    too_large = RequestError(413, "too-large", f"The body is too large; at most {limit:,} bytes are accepted.")
    if size > limit:
        raise too_large
    received = 0
    async for chunk in request.content.iter_any():
        received += len(chunk)
        if received > limit:
            raise too_large
        yield chunk


def _upload(route: Route, request: web.Request, limit: int) -> Upload:
    size = request.content_length
    if size is not None and size > limit:
        raise RequestError(413, "too-large", f"The file is too large; at most {limit:,} bytes are accepted.")
    return Upload(_limited(request, limit), request.content_type, size)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _path_value(name: str, kind: Any, request: web.Request) -> Any:
    raw = request.match_info[name]
    _check_text(name, raw)
    try:
        # Path and query are text, so "3" is the integer 3 here, unlike in a JSON body.
        return _adapter(kind).validate_python(raw)
    except ValidationError as error:
        raise _as_rejected(error, kind, inside=name) from None


def _query(route: Route, request: web.Request) -> BaseModel | None:
    kind = route.query_type
    fields = kind.model_fields if kind is not None else {}
    values: dict[str, Any] = {}
    for name in dict.fromkeys(request.query):
        given = request.query.getall(name)
        for value in (name, *given):
            _check_text(name if value != name else "query", value)
        if name in fields and _takes_several(fields[name].annotation):
            values[name] = given
        elif len(given) > 1:
            raise rejected(name, "given more than once; expected once")
        else:
            values[name] = given[0]
    if kind is None:
        if values:
            problems = tuple(FieldProblem(name, "unknown parameter; this address takes none") for name in values)
            raise RejectedError("The query has parameters this address does not take.", fields=problems)
        return None
    try:
        return kind.model_validate(values, extra="forbid")
    except ValidationError as error:
        raise _as_rejected(error, kind) from None


def _takes_several(annotation: Any) -> bool:
    return get_origin(annotation) in (list, tuple, set, frozenset)


def _body(kind: Any, raw: bytes) -> Any:
    if not raw.strip():
        raise RequestError(400, "not-json", "The body is empty; expected a JSON document.")
    try:
        value = orjson.loads(raw)  # refuses lone surrogates, NaN, deep nesting and bytes that are not UTF-8
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestError(400, "not-json", f"The body is not JSON ({place}).") from None
    try:
        twice = repeated_field(raw, value)
        problems = _problems(raw) if _SUSPICIOUS.search(raw) else ()
    except RecursionError:
        raise RequestError(400, "not-json", "The body is nested hundreds deep.") from None
    if twice is not None:
        raise rejected(twice, "stands there more than once; expected once")
    if problems:
        raise RejectedError("The body holds values that cannot be stored.", fields=problems)
    try:
        return _adapter(kind).validate_json(raw, strict=True, extra="forbid")
    except ValidationError as error:
        raise _as_rejected(error, kind) from None


def _problems(raw: bytes) -> tuple[FieldProblem, ...]:
    # The standard library keeps an integer of any length exact; orjson would make a float of it.
    return tuple(_unstorable(json.loads(raw), ""))


def _unstorable(value: object, path: str) -> list[FieldProblem]:
    """Name what JSON allows but PostgreSQL or an honest number cannot hold: NUL characters, huge integers."""
    where = path or "body"
    if isinstance(value, str):
        return [FieldProblem(where, "holds a NUL character; expected text without it")] if "\0" in value else []
    if isinstance(value, int) and abs(value) > _LARGEST_INT:
        return [FieldProblem(where, f"too large to be exact; expected at most {_LARGEST_INT}")]
    if isinstance(value, list):
        return [one for index, item in enumerate(value) for one in _unstorable(item, f"{path}[{index}]")]
    if isinstance(value, dict):
        found = [FieldProblem(where, "has a key with a NUL character") for key in value if "\0" in key]
        return found + [one for key, item in value.items() for one in _unstorable(item, f"{path}.{key}".lstrip("."))]
    return []


def _check_text(field: str, value: str) -> None:
    if "\0" in value or (not value.isascii() and not _encodable(value)):
        name = field if field.isprintable() and _encodable(field) else "query"
        raise rejected(name, "holds characters that are not valid text")


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_rejected(error: ValidationError, kind: Any, *, inside: str = "") -> RejectedError:
    # The input stays out of the answer: answers reach logs and screens, and the caller has it.
    details = error.errors(include_url=False, include_context=False, include_input=False)
    fields = tuple(_field_problem(one, kind, inside) for one in details[:50])
    names = ", ".join(dict.fromkeys(one.field for one in fields[:5]))
    return RejectedError(f"The request does not fit: look at {names}.", fields=fields)


def _field_problem(detail: ErrorDetails, kind: Any, inside: str) -> FieldProblem:
    field = _location([inside, *detail["loc"]] if inside else detail["loc"])
    if detail["type"] == "missing":
        return FieldProblem(field, "required, but missing")
    if detail["type"] == "extra_forbidden":
        known = ", ".join(kind.model_fields) if len(detail["loc"]) == 1 and hasattr(kind, "model_fields") else ""
        return FieldProblem(field, f"unknown field; expected one of: {known}" if known else "unknown field")
    problem = detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return FieldProblem(field, problem)


def _location(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")[:200] or "body"
