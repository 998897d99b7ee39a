"""The WebSocket of one user: signing in, catching up, sending, and being cut off."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import orjson
from aiohttp import WSMsgType, web
from prometheus_client import Counter, Gauge

from services.runtime.errors import GalwError, UnavailableError
from services.runtime.http import PUBLIC, RequestError, Routes, rejected
from services.runtime.identity.principal import Principal, Role, SignedOutError, Verifier
from services.runtime.live.hub import Body, Line, LiveHub, to_message

PROTOCOL = "galw.live.v1"
_BEARER = "bearer."

CLOSE_TRY_LATER = 1013
CLOSE_SIGNED_OUT = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_TOO_SLOW = 4408
CLOSE_TAKEN_OVER = 4409

_CONNECTED = Gauge("live_connections", "Open WebSockets of users.")
_CLOSED = Counter("live_closed_total", "WebSockets that we closed, by the code of the reason.", ["code"])

# A client sends tokens and nothing else.
_LARGEST_MESSAGE = 8192

Snapshot = Callable[[Principal], Awaitable[Body]]
"""Returns all that a user's screen shows, as committed now."""


def live_routes(hub: LiveHub, verifier: Verifier, snapshot: Snapshot, *, path: str, roles: Iterable[Role]) -> Routes:
    """Return the route of the WebSocket at *path*, for whoever has one of *roles*."""
    chosen = frozenset(roles)
    routes = Routes(prefix="", tag="live")

    async def get_live(request: web.Request) -> web.StreamResponse:
        """Upgrade to a WebSocket; the token comes as its subprotocol or first message, so nothing is checked before.

        `since` is the number of the last message the client has.
        """
        since = _since(request)
        ws = web.WebSocketResponse(
            protocols=(PROTOCOL,),
            heartbeat=hub.limits.heartbeat_s,
            max_msg_size=_LARGEST_MESSAGE,
            timeout=1.0,
            # A deflate window costs more memory than all else of a connection, for messages of a few hundred bytes.
            compress=False,
        )
        if not ws.can_prepare(request):
            headers = {"Upgrade": "websocket"}
            raise RequestError(426, "upgrade-required", "Connect to this address by WebSocket.", headers=headers)
        await ws.prepare(request)
        connection = Connection(ws, request, hub, verifier)
        try:
            await connection.sign_in(chosen)
            await connection.run(since, snapshot)
        except _CutOffError as reason:
            await connection.shut(reason.code, reason.message)
        return ws

    routes.raw("GET", path, get_live, roles=PUBLIC, summary="Live state, by WebSocket")
    return routes


class _CutOffError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Connection:
    """One WebSocket; a `Receiver` of its user's line."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, hub: LiveHub, verifier: Verifier) -> None:
        """Not signed in yet."""
        self._ws = ws
        self._request = request
        self._hub = hub
        self._verifier = verifier
        self._token = ""
        self._principal: Principal | None = None
        self._due = asyncio.Event()
        self._sent = 0
        self._beat_at = asyncio.get_running_loop().time() + hub.limits.heartbeat_s

    @property
    def principal(self) -> Principal:
        """Whose it is; only after `sign_in`."""
        assert self._principal is not None
        return self._principal

    def wake(self) -> None:
        """Say that there is something to send."""
        self._due.set()

    async def shut(self, code: int, reason: str) -> None:
        """Close within a second, even if the other side reads nothing."""
        _CLOSED.labels(code).inc()
        try:
            async with asyncio.timeout(1.5):
                # A reason longer than a control frame is a protocol error.
                await self._ws.close(code=code, message=reason.encode()[:120])
        except (TimeoutError, ConnectionError):
            pass
        if self._request.transport is not None:
            self._request.transport.abort()

    async def sign_in(self, roles: frozenset[Role]) -> None:
        """Find out who is there; raises what cuts the connection off."""
        token = _offered_token(self._request)
        try:
            async with asyncio.timeout(self._hub.limits.sign_in_s):
                token = token or _token_in(await self._ws.receive_str())
            self._principal = await self._verifier.verify(token)
        except (TimeoutError, TypeError, RuntimeError) as error:
            raise _CutOffError(CLOSE_SIGNED_OUT, "Send an access token first.") from error
        except SignedOutError as error:
            raise _CutOffError(CLOSE_SIGNED_OUT, error.message) from error
        except UnavailableError as error:
            raise _CutOffError(CLOSE_TRY_LATER, error.message) from error
        self._token = token
        if roles.isdisjoint(self._principal.roles):
            raise _CutOffError(CLOSE_FORBIDDEN, "Your roles do not allow this.")

    async def run(self, since: int | None, snapshot: Snapshot) -> None:
        """Send and listen until the connection ends."""
        try:
            line, previous = await self._hub.attach(self)
        except GalwError as error:
            raise _CutOffError(CLOSE_TRY_LATER, error.message) from error
        with _CONNECTED.track_inprogress():
            try:
                async with asyncio.TaskGroup() as group:
                    if previous is not None:
                        group.create_task(previous.shut(CLOSE_TAKEN_OVER, "Connected elsewhere."))
                    writer = group.create_task(self._write(line, since, snapshot))
                    await self._listen()
                    writer.cancel()
            finally:
                await self._hub.detach(line, self)

    async def _listen(self) -> None:
        """Take new tokens of the same person until the connection ends; anything else is ignored."""
        async for message in self._ws:
            if message.type is not WSMsgType.TEXT:
                continue
            token = _token_in(message.data)
            try:
                if token and (await self._verifier.verify(token)).user_id == self.principal.user_id:
                    self._token = token
            except GalwError:
                continue  # the old token stands until it expires

    async def _write(self, line: Line, since: int | None, snapshot: Snapshot) -> None:
        try:
            await self._catch_up(line, since, snapshot)
            while True:
                self._due.clear()
                await self._send_due(line)
                await self._wait()
        except ConnectionError:
            return  # the listener notices too, and ends
        except _CutOffError as reason:
            await self.shut(reason.code, reason.message)
        except UnavailableError as error:
            await self.shut(CLOSE_TRY_LATER, error.message)

    async def _catch_up(self, line: Line, since: int | None, snapshot: Snapshot) -> None:
        if since is not None and line.can_resume(since):
            self._sent = since
            return
        if since is not None:
            self._hub.renumber(line, since)
        # The number is taken first: what is published while the snapshot is made is sent after it, perhaps twice.
        self._sent = line.last
        await self._send(to_message(self._sent, "snapshot", await snapshot(self.principal)))

    async def _send_due(self, line: Line) -> None:
        while self._sent < line.last:
            message = line.after(self._sent)
            if message is None:
                raise _CutOffError(CLOSE_TOO_SLOW, "You read too slowly; connect again.")
            await self._send(message)
            self._sent += 1

    async def _send(self, message: str) -> None:
        try:
            async with asyncio.timeout(self._hub.limits.send_s):
                await self._ws.send_str(message)
        except TimeoutError:
            raise _CutOffError(CLOSE_TOO_SLOW, "You read too slowly; connect again.") from None

    async def _wait(self) -> None:
        """Return when there is something to send; every so often, busy or not, look at the token and show a sign."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(self._beat_at):
                    await self._due.wait()
                if loop.time() < self._beat_at:
                    return
            except TimeoutError:
                pass
            self._beat_at = loop.time() + self._hub.limits.heartbeat_s
            await self._check_token()
            await self._send(to_message(self._sent, "heartbeat", None))

    async def _check_token(self) -> None:
        try:
            await self._verifier.verify(self._token)
        except SignedOutError as error:
            raise _CutOffError(CLOSE_SIGNED_OUT, error.message) from error
        except UnavailableError:
            return  # an outage of the key source signs nobody out


def _since(request: web.Request) -> int | None:
    raw = request.query.get("since")
    if raw is None or raw == "":
        return None
    if not raw.isascii() or not raw.isdigit() or len(raw) > 16:
        raise rejected("since", "expected the number of the last message you have")
    return int(raw)


def _offered_token(request: web.Request) -> str:
    for offer in request.headers.get("Sec-WebSocket-Protocol", "").split(","):
        if offer.strip().startswith(_BEARER):
            return offer.strip().removeprefix(_BEARER)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _token_in(message: str) -> str:
    try:
        parsed = orjson.loads(message)
    except orjson.JSONDecodeError:
        return ""
    token = parsed.get("access_token") if isinstance(parsed, dict) else None
    return token if isinstance(token, str) else ""
