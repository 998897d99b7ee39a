"""What a handler is given and what it may return."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from services.runtime.clock import Clock
from services.runtime.errors import PreconditionError
from services.runtime.http.problems import RequestError
from services.runtime.identity.principal import Principal, SignedOutError

T = TypeVar("T")


class Input(BaseModel):
    """The base of request bodies and queries: frozen, and a field it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PageQuery(Input):
    """The query of a list: how many, and from where on."""

    limit: int = Field(default=50, ge=1, le=200, description="At most so many items.")
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before.")


class Page(BaseModel, Generic[T]):
    """One page of a list; without `next_cursor` it is the last."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A body with more to say: another status, the version for `If-Match`, where the new thing is."""

    body: T
    status: int | None = None
    etag: str | int | None = None
    location: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Stream:
    """A body sent as it is made; an error before the first chunk is a problem, a later one cuts the connection."""

    chunks: AsyncIterator[bytes]
    content_type: str
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A body read as it comes, by one reader, never held whole; more bytes than the limit is a 413."""

    chunks: AsyncIterator[bytes]
    content_type: str
    size: int | None
    """Bytes, when the client said so."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as a handler may care."""

    request: web.Request
    caller: Principal | None
    clock: Clock
    id: str
    """The request's correlation id, also in every log line."""
    remote: str
    """The client's address; behind trusted proxies, what they saw."""
    host: str
    """The name that the client asked for; empty when a proxy that nobody trusts stands between."""
    new_id: UUID
    """The id for what this request creates. With an `Idempotency-Key` it follows from caller, route and key, so that a
    repeat after a crash between commit and answer collides instead of creating twice."""

    @property
    def principal(self) -> Principal:
        """The signed-in person; on a public route raises `SignedOutError` when there is none."""
        if self.caller is None:
            raise SignedOutError("Sign in first: send `Authorization: Bearer <access token>`.")
        return self.caller

    @property
    def now(self) -> datetime:
        """The instant by the injected clock."""
        return self.clock.now()

    @property
    def if_match(self) -> str | None:
        """The entity tag of `If-Match` without its quotes; None when absent or `*`."""
        raw = self.request.headers.get("If-Match", "*").strip()
        return None if raw == "*" else raw.removeprefix("W/").strip('"')

    def expected_version(self) -> int:
        """Return the version the client edits; 428 when it did not say, 412 when it cannot be one of ours."""
        if "If-Match" not in self.request.headers:
            message = "Send `If-Match` with the `ETag` you last read, so that nobody's edit is lost."
            raise RequestError(428, "precondition-required", message)
        tag = self.if_match
        if tag is None or not tag.isascii() or not tag.isdigit() or len(tag) > 18:  # fits PostgreSQL's bigint
            raise PreconditionError('`If-Match` is not a version of this resource; expected one such as "3".')
        return int(tag)
