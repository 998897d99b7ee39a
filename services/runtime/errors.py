"""The four kinds of error; `runtime.http` and `runtime.consumer` are the only two places that translate them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field: where, what is wrong and what was expected."""

    field: str
    problem: str


class GalwError(Exception):
    """What Galw raises on purpose; the message is a sentence for the person who reads it."""

    code = "galw-error"

    def __init__(self, message: str, *, fields: tuple[FieldProblem, ...] = ()) -> None:
        """Keep the sentence and, when the input has fields, what is wrong with each."""
        super().__init__(message)
        self.message = message
        self.fields = fields


class RejectedError(GalwError):
    """The input can never work: HTTP 422, dead letter."""

    code = "rejected"


class ForbiddenError(GalwError):
    """The caller may not do this: HTTP 403."""

    code = "forbidden"


class NotFoundError(GalwError):
    """There is no such thing: HTTP 404, skipped by a consumer."""

    code = "not-found"


class ConflictError(GalwError):
    """A rule or the present state says no: HTTP 409, skipped by a consumer."""

    code = "conflict"

    def __init__(self, message: str, *, present: object = None, fields: tuple[FieldProblem, ...] = ()) -> None:
        """Keep the *present* state, when known, so that the caller can go on from it (JSON-able)."""
        super().__init__(message, fields=fields)
        self.present = present


class PreconditionError(ConflictError):
    """The caller's `If-Match` names another version than the present one: HTTP 412."""

    code = "precondition-failed"


class UnavailableError(GalwError):
    """A dependency is away; try again later: HTTP 503, the consumer waits."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        """Keep when it is worth trying again, in seconds."""
        super().__init__(message)
        self.retry_after_s = retry_after_s
