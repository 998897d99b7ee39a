"""`Idempotency-Key`: the same key with the same request gets the same answer, and the work is done once.

The answer is kept 24 hours in the service's own schema. A request that was cut off (a crash, a time-out, our own bug)
keeps its key: nobody knows whether its work was committed, so a repeat is told so instead of doing it again. A refusal
or an outage of a dependency gives the key back; a handler that creates under `call.new_id` cannot do so twice even when
the outage swallowed a commit's answer.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from aiohttp import web

from services.runtime.clock import Clock
from services.runtime.errors import ConflictError, GalwError, UnavailableError
from services.runtime.http.problems import RequestError, rejected
from services.runtime.postgres import Pool, transaction
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime.http")

KEPT_FOR = timedelta(hours=24)
_KEPT_HEADERS = ("ETag", "Location", "Content-Type")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_NAMESPACE = UUID("5f1d1c8e-6d7e-5c1b-9f57-6a1d0c6f1e2a")


class OutcomeUnknownError(ConflictError):
    """The first request with this key was cut off; whether it was done, nobody can say."""

    code = "outcome-unknown"


class InProgressError(ConflictError):
    """The first request with this key is still being worked on."""

    code = "in-progress"


@dataclass(frozen=True, slots=True)
class Claim:
    """One use of a key: by whom, at which route, for which request."""

    principal: str
    route: str
    key: str
    fingerprint: bytes

    @property
    def new_id(self) -> UUID:
        """Return the id that every repeat of this request would give to what it creates."""
        return uuid5(_NAMESPACE, f"{self.principal}\n{self.route}\n{self.key}")


def read_claim(request: web.Request, principal: str, route: str, body: bytes) -> Claim | None:
    """Return what the request claims, None when it carries no key; raise `RejectedError` for an unusable one."""
    keys = request.headers.getall("Idempotency-Key", ())
    if not keys:
        return None
    if len(keys) > 1:
        raise rejected("Idempotency-Key", "expected once: which of several is meant, nobody knows")
    [key] = keys
    if not _KEY.fullmatch(key):
        raise rejected("Idempotency-Key", "expected 1 to 255 visible ASCII characters without spaces")
    digest = hashlib.sha256(f"{request.method} {request.path_qs}\n".encode("utf-8", "replace"))
    digest.update(body)
    return Claim(principal, route, key, digest.digest())


class IdempotencyStore:
    """Answers by key, in the table `idempotency` of the service's schema."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        """Use *pool*; time is the clock's, for answers are kept for hours and clocks differ by seconds."""
        self._pool = pool
        self._clock = clock

    async def once(self, claim: Claim, timeout_s: float, work: Callable[[], Awaitable[web.Response]]) -> web.Response:
        """Return the kept answer, or do *work*, which takes at most *timeout_s*, and keep its answer."""
        kept = await self._claim(claim, timeout_s)
        if kept is not None:
            return kept
        try:
            response = await work()
        except GalwError:
            await self._release(claim)
            raise
        await self._save(claim, response)
        return response

    async def _claim(self, claim: Claim, timeout_s: float) -> web.Response | None:
        now = self._clock.now()
        where = (claim.principal, claim.route, claim.key)
        async with transaction(self._pool) as connection:
            await connection.execute(SQL["idempotency_forget"], now)
            expires_at = now + KEPT_FOR
            if await connection.fetchval(SQL["idempotency_claim"], *where, claim.fingerprint, now, expires_at):
                return None
            row = await connection.fetchrow(SQL["idempotency_find"], *where)
        if row is None:  # given back between the two statements
            raise InProgressError("Another request with this Idempotency-Key has just ended; try again.")
        if row["fingerprint"] != claim.fingerprint:
            raise rejected("Idempotency-Key", "was used for another request; a new request needs a new key")
        if row["status"] is not None:
            headers = {**row["headers"], "Idempotent-Replayed": "true"}
            return web.Response(status=row["status"], body=row["body"], headers=headers)
        if now - row["created_at"] <= timedelta(seconds=timeout_s):
            raise InProgressError("The first request with this Idempotency-Key is still being worked on; try again.")
        message = (
            "The first request with this Idempotency-Key was cut off: look whether it was done, then use a new one."
        )
        raise OutcomeUnknownError(message)

    async def _save(self, claim: Claim, response: web.Response) -> None:
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
        where = (claim.principal, claim.route, claim.key)
        async with transaction(self._pool) as connection:
            await connection.execute(SQL["idempotency_save"], *where, response.status, headers, body)

    async def _release(self, claim: Claim) -> None:
        try:
            async with transaction(self._pool) as connection:
                await connection.execute(SQL["idempotency_release"], claim.principal, claim.route, claim.key)
        except UnavailableError:
            return  # The key then answers "outcome unknown" until it expires, which is true.


def required_store(store: IdempotencyStore | None) -> IdempotencyStore:
    """Return *store*; a composition root that mounts idempotent routes without one made a mistake."""
    if store is None:
        raise RequestError(501, "no-idempotency", "This service keeps no answers; send the request without the key.")
    return store
