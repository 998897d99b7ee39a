"""From one request to one answer: who calls, may they, what do they send, do it once, show the result."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote, urlsplit

from aiohttp import web
from pydantic import BaseModel

from services.runtime.clock import Clock
from services.runtime.errors import ForbiddenError, UnavailableError
from services.runtime.http.binding import arguments, check_content_type, read_body
from services.runtime.http.call import Call, Reply, Stream
from services.runtime.http.idempotency import IdempotencyStore, read_claim, required_store
from services.runtime.http.problems import RequestError
from services.runtime.http.routes import PUBLIC, Route
from services.runtime.identity.principal import Principal, SignedOutError, Verifier
from services.runtime.ids import NewId, new_id

CALLER = web.RequestKey("caller", Principal)
"""Who called a raw route; missing on a public one."""

REQUEST_ID = web.RequestKey("request_id", str)
"""The correlation id of the request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one instance takes upon itself; each bound protects memory or the pool, not fairness."""

    body_bytes: int = 1024 * 1024
    upload_bytes: int = 1024 * 1024 * 1024
    handler_s: float = 30.0
    upload_s: float = 3600.0
    chunk_s: float = 60.0
    """A reader of a stream that takes longer for one chunk is cut off."""
    concurrent: int = 256
    """Requests in hand; the pool serves about ten at once, so more would only wait until they time out."""
    trusted_proxies: int = 0
    """How many proxies stand in front and append to `X-Forwarded-For`."""


@dataclass(slots=True)
class Dispatcher:
    """Answers the routes of one service."""

    verifier: Verifier
    clock: Clock
    limits: Limits
    store: IdempotencyStore | None = None
    new_id: NewId = new_id
    in_hand: int = 0

    async def answer(self, route: Route, request: web.Request) -> web.StreamResponse:
        """Return the answer of *route*; raises what `problem_response` translates."""
        if self.in_hand >= self.limits.concurrent:
            raise UnavailableError("Too many requests at once; try again in a second.", retry_after_s=1)
        self.in_hand += 1
        try:
            caller = await self.admit(route, request)
            if route.raw:
                raise TypeError("a raw route is not dispatched")
            return await self._in_time(route, request, caller)
        finally:
            self.in_hand -= 1

    async def answer_raw(self, route: Route, request: web.Request) -> web.StreamResponse:
        """Return what a raw handler makes; it may last for hours, so it does not count as in hand."""
        caller = await self.admit(route, request)
        if caller is not None:
            request[CALLER] = caller
        return cast("web.StreamResponse", await route.handler(request))

    async def admit(self, route: Route, request: web.Request) -> Principal | None:
        """Return who calls; raise unless the route lets them in."""
        if route.roles == PUBLIC:
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise SignedOutError("Sign in first: send `Authorization: Bearer <access token>`.")
        caller = await self.verifier.verify(token.strip())
        if route.roles.isdisjoint(caller.roles):
            needed = ", ".join(sorted(route.roles))
            raise ForbiddenError(f"This needs one of the roles {needed}; you have {', '.join(sorted(caller.roles))}.")
        return caller

    async def _in_time(self, route: Route, request: web.Request, caller: Principal | None) -> web.StreamResponse:
        usual_s = self.limits.upload_s if route.upload_name else self.limits.handler_s
        timeout_s = route.timeout_s or usual_s
        deadline = asyncio.timeout(timeout_s)
        try:
            async with deadline:
                result = await self._result(route, request, caller, timeout_s)
        except TimeoutError:
            if deadline.expired():
                message = f"This took longer than {timeout_s:g} seconds and was given up."
                raise UnavailableError(message, retry_after_s=5) from None
            raise
        if isinstance(result, Stream):
            return await _send(result, request, self.limits.chunk_s)
        return result

    async def _result(
        self, route: Route, request: web.Request, caller: Principal | None, timeout_s: float
    ) -> web.StreamResponse | Stream:
        if route.if_match and "If-Match" not in request.headers:
            message = "Send `If-Match` with the `ETag` you last read, so that nobody's edit is lost."
            raise RequestError(428, "precondition-required", message)
        check_content_type(route, request)
        body = b"" if route.upload_name else await read_body(request, route.max_body_bytes or self.limits.body_bytes)
        principal = str(caller.user_id) if caller else "public"
        claim = read_claim(request, principal, f"{route.method} {route.path}", body) if route.idempotent else None
        call = Call(
            request=request,
            caller=caller,
            clock=self.clock,
            id=request[REQUEST_ID],
            remote=client_address(request, self.limits.trusted_proxies),
            host=asked_host(request, self.limits.trusted_proxies),
            new_id=claim.new_id if claim else self.new_id(),
        )
        given = await arguments(route, call, body, route.max_body_bytes or self.limits.upload_bytes)
        if claim is None:
            return _rendered(route, request, await route.handler(**given))

        async def work() -> web.Response:
            return cast("web.Response", _rendered(route, request, await route.handler(**given)))

        return await required_store(self.store).once(claim, timeout_s, work)


def client_address(request: web.Request, trusted_proxies: int) -> str:
    """Return the address of the client: the peer's, or what the outermost trusted proxy saw."""
    if trusted_proxies:
        seen = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
        if len(seen) >= trusted_proxies:
            return seen[-trusted_proxies][:64]
    return request.remote or "unknown"


def asked_host(request: web.Request, trusted_proxies: int) -> str:
    """Return the name that the client asked for, without the port: to us, or to the trusted proxy next to us.

    It is empty when there is none, or when somebody forwards who is not trusted: then nobody knows what was asked for.
    """
    if trusted_proxies:
        names = request.headers.getall("X-Forwarded-Host", [request.host])
        asked = names[0] if len(names) == 1 else ""
    elif {"X-Forwarded-For", "Forwarded"} & request.headers.keys():
        return ""
    else:
        asked = request.host
    try:
        return urlsplit(f"//{asked}").hostname or ""
    except ValueError:
        return ""


def _rendered(route: Route, request: web.Request, result: object) -> web.StreamResponse | Stream:
    if isinstance(result, Stream | web.StreamResponse):
        return result
    reply = result if isinstance(result, Reply) else Reply(result)
    headers = dict(reply.headers)
    if reply.location is not None:
        headers["Location"] = reply.location
    if reply.etag is not None:
        headers["ETag"] = f'"{reply.etag}"'
        if request.method == "GET" and headers["ETag"] in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
    status = reply.status or route.status
    if reply.body is None:
        return web.Response(status=status, headers=headers)
    if not isinstance(reply.body, BaseModel):
        raise TypeError(f"{route.name} answered with {type(reply.body).__name__}; expected a model")
    body = reply.body.model_dump_json(by_alias=True).encode()
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


async def _send(stream: Stream, request: web.Request, chunk_s: float) -> web.StreamResponse:
    headers = {"Content-Type": stream.content_type}
    if stream.filename is not None:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(stream.filename, safe='')}"
    response = web.StreamResponse(headers=headers)
    chunks = aiter(stream.chunks)
    try:
        first = await anext(chunks, None)  # an error that comes first is still answered as a problem
        await response.prepare(request)
        if first is not None:
            await _write_all(response, first, chunks, chunk_s)
        await response.write_eof()
    except BaseException:
        # Half a file must not look whole: without its last chunk the client sees an error.
        if response.prepared and request.transport is not None:
            request.transport.abort()
        raise
    finally:
        # A reader that went away must not leave a generator holding a connection of the pool.
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    return response


async def _write_all(response: web.StreamResponse, first: bytes, rest: AsyncIterator[bytes], chunk_s: float) -> None:
    chunk: bytes | None = first
    while chunk is not None:
        async with asyncio.timeout(chunk_s):
            await response.write(chunk)
        chunk = await anext(rest, None)
