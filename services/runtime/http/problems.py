"""RFC 9457 problem details: the only place that turns errors into HTTP answers."""

import math
from dataclasses import dataclass

import orjson
from aiohttp import web
from pydantic import BaseModel, JsonValue

from services.runtime.errors import (
    ConflictError,
    FieldProblem,
    ForbiddenError,
    GalwError,
    NotFoundError,
    PreconditionError,
    RejectedError,
    UnavailableError,
)
from services.runtime.identity.principal import SignedOutError

PROBLEM_TYPE = "application/problem+json"


class RequestError(GalwError):
    """The request is refused by HTTP's own rules, before any handler sees it."""

    def __init__(self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        """Answer *status* with the machine-readable *code*."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


class ProblemField(BaseModel):
    """One thing wrong with one field of the request."""

    field: str
    problem: str


class Problem(BaseModel):
    """What went wrong, for people (`detail`) and for programs (`code`, `fields`, `present`)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    fields: list[ProblemField] = []
    present: JsonValue = None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    title: str


_ANSWERS: tuple[tuple[type[GalwError], _Answer], ...] = (
    # Most specific first: PreconditionError is a ConflictError.
    (SignedOutError, _Answer(401, "Not signed in")),
    (ForbiddenError, _Answer(403, "Not allowed")),
    (NotFoundError, _Answer(404, "Not found")),
    (PreconditionError, _Answer(412, "Changed in the meantime")),
    (ConflictError, _Answer(409, "Conflict")),
    (RejectedError, _Answer(422, "Not acceptable input")),
    (UnavailableError, _Answer(503, "Not available now")),
)

_TITLES = {
    400: "Malformed request",
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    415: "Unsupported content type",
    428: "Precondition required",
    429: "Too many requests",
    503: "Not available now",
}


def problem_response(error: BaseException, request_id: str) -> web.Response:
    """Return the answer to *error*; what is not ours becomes a 500 that says nothing about our insides."""
    if isinstance(error, RequestError):
        return _response(error, error.status, _TITLES.get(error.status, "Refused"), error.headers, request_id)
    for kind, answer in _ANSWERS:
        if isinstance(error, kind):
            return _response(error, answer.status, answer.title, _headers_of(error), request_id)
    if isinstance(error, web.HTTPException):
        return _of_aiohttp(error, request_id)
    bug = GalwError("Galw made a mistake. It is logged under the request id; trying again may help.")
    bug.code = "internal"
    return _response(bug, 500, "Internal error", {}, request_id)


def _headers_of(error: GalwError) -> dict[str, str]:
    if isinstance(error, SignedOutError):
        return {"WWW-Authenticate": 'Bearer realm="galw"'}
    if isinstance(error, UnavailableError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    return {}


def _of_aiohttp(error: web.HTTPException, request_id: str) -> web.Response:
    sentences = {
        404: "There is nothing at this address.",
        405: f"This address allows {error.headers.get('Allow', 'other methods')}.",
        413: "The body is larger than this address accepts.",
    }
    ours = GalwError(sentences.get(error.status, error.reason or "The request was refused."))
    ours.code = _TITLES.get(error.status, "refused").lower().replace(" ", "-")
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return _response(ours, error.status, _TITLES.get(error.status, "Refused"), headers, request_id)


def _response(error: GalwError, status: int, title: str, headers: dict[str, str], request_id: str) -> web.Response:
    body: dict[str, object] = {
        "type": f"urn:galw:problem:{error.code}",
        "title": title,
        "status": status,
        "code": error.code,
        "detail": error.message,
        "request_id": request_id,
    }
    if error.fields:
        body["fields"] = [{"field": one.field, "problem": one.problem} for one in error.fields]
    if isinstance(error, ConflictError) and error.present is not None:
        body["present"] = error.present
    return web.Response(
        status=status, body=orjson.dumps(body, default=_jsonable), content_type=PROBLEM_TYPE, headers=headers
    )


def _jsonable(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be shown as JSON")


def rejected(field: str, problem: str) -> RejectedError:
    """Return the refusal of one *field*."""
    return RejectedError(f"{field}: {problem}.", fields=(FieldProblem(field, problem),))
