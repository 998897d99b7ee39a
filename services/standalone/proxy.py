"""A small reverse proxy: one public port for services that run in processes of their own.

Bodies stream both ways, WebSockets pass through, and a service that is away is answered for with a 502 problem. What
a client claims in `X-Forwarded-*` and `Forwarded` is dropped: this is the first hop, so it knows better.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    DummyCookieJar,
    TCPConnector,
    WSCloseCode,
    WSMsgType,
    WSServerHandshakeError,
    web,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_CLAIMS = frozenset(("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"))
_MESSAGE_BOUND_BYTES = 4 * 1024**2
# Two codes are only ever observed, never sent: an end without a code, and one without goodbye (a service restarts).
_SAYABLE: dict[int | None, int] = {WSCloseCode.ABNORMAL_CLOSURE: WSCloseCode.SERVICE_RESTART, 1005: WSCloseCode.OK}
_CONNECTIONS = 2_000  # a thousand operators hold one WebSocket each; the rest is for requests


@dataclass(frozen=True, slots=True)
class Route:
    """Requests whose path is *prefix* or lies below it go to *target* (`http://host:port`)."""

    prefix: str
    target: str


def proxy_app(routes: Sequence[Route]) -> web.Application:
    """Return the proxy over *routes*; the longest prefix wins and `/` takes the rest."""
    proxy = _Proxy(routes)
    app = web.Application(client_max_size=0)  # bodies are streamed, never read here; the services bound them
    app.router.add_route("*", "/{path:.*}", proxy.forward)
    app.cleanup_ctx.append(proxy.session_of)
    return app


class _Proxy:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = sorted(routes, key=lambda route: len(route.prefix), reverse=True)
        self._session: ClientSession | None = None

    async def session_of(self, app: web.Application) -> AsyncGenerator[None]:
        """Hold the connections to the services for as long as *app* runs."""
        async with ClientSession(
            connector=TCPConnector(limit=_CONNECTIONS),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            # A stream may be silent for as long as it likes; only reaching the service has a limit.
            timeout=ClientTimeout(total=None, sock_connect=2.0),
        ) as self._session:
            yield

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Pass *request* on and its answer back."""
        route = self._route(request.path)
        if route is None:
            return _problem(404, "No service answers for this path.")
        url = URL(route.target + request.rel_url.raw_path_qs, encoded=True)
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._pass_websocket(request, url)
            return await self._pass_request(request, url)
        except WSServerHandshakeError as error:
            return _problem(error.status, "The service refused the WebSocket.")
        except (ClientError, TimeoutError, OSError):
            return _problem(502, "The service is away; it is being started again. Try again in a moment.")

    def _route(self, path: str) -> Route | None:
        for route in self._routes:
            prefix = route.prefix.rstrip("/")
            if path == prefix or path.startswith(prefix + "/"):
                return route
        return None

    async def _pass_request(self, request: web.Request, url: URL) -> web.StreamResponse:
        assert self._session is not None
        body = request.content if request.body_exists else None
        async with self._session.request(
            request.method,
            url,
            headers=_onward(request),
            data=body,
            allow_redirects=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers)
            )
            await response.prepare(request)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            except ClientError:
                # The status line is out, so a problem can no longer be told; a broken connection tells it.
                response.force_close()
                if request.transport is not None:
                    request.transport.abort()
                return response
            await response.write_eof()
            return response

    async def _pass_websocket(self, request: web.Request, url: URL) -> web.StreamResponse:
        assert self._session is not None
        protocols = [
            part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if part.strip()
        ]
        headers = _onward(request)
        for name in [name for name in headers if name.lower().startswith("sec-websocket-")]:
            del headers[name]
        async with self._session.ws_connect(
            url, headers=headers, protocols=protocols, autoping=False, max_msg_size=_MESSAGE_BOUND_BYTES
        ) as service:
            chosen = [service.protocol] if service.protocol else []
            # Uncompressed: a compressor takes 300 KB for each connection, and this one never leaves the machine.
            client = web.WebSocketResponse(
                protocols=chosen, autoping=False, compress=False, max_msg_size=_MESSAGE_BOUND_BYTES
            )
            await client.prepare(request)
            async with asyncio.TaskGroup() as group:
                group.create_task(_relay(client, service))
                group.create_task(_relay(service, client))
            return client


_Side = web.WebSocketResponse | ClientWebSocketResponse


async def _relay(source: _Side, target: _Side) -> None:
    """Pass every message on, one at a time, so that a slow reader slows its writer; then close the other side."""
    async for message in source:
        try:
            await _send(target, message.type, message.data)
        except (ConnectionError, ClientError):
            break
    await target.close(code=_SAYABLE.get(source.close_code, source.close_code or 1011))


async def _send(target: _Side, kind: WSMsgType, data: object) -> None:
    match kind, data:
        case WSMsgType.TEXT, str():
            await target.send_str(data)
        case WSMsgType.BINARY, bytes():
            await target.send_bytes(data)
        case WSMsgType.PING, bytes():
            await target.ping(data)
        case WSMsgType.PONG, bytes():
            await target.pong(data)
        case _:
            raise ConnectionError(f"a WebSocket ended with {kind.name}")


def _end_to_end(headers: Mapping[str, str] | CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {part.strip().lower() for part in headers.get("Connection", "").split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP | named)


def _onward(request: web.Request) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers)
    claims = [name for name in headers if name.lower() in _CLAIMS]
    for name in claims:
        headers.popall(name, None)
    headers["X-Forwarded-For"] = request.remote or "unknown"
    # Where somebody else forwards to us, nobody knows what was asked for: demo passwords are for this machine only.
    headers["X-Forwarded-Host"] = "" if claims else request.host
    headers["X-Forwarded-Proto"] = request.scheme
    return headers


def _problem(status: int, title: str) -> web.Response:
    body = {"type": "about:blank", "status": status, "title": title}
    headers = {"Retry-After": "1"} if status == 502 else None
    return web.json_response(body, status=status, content_type="application/problem+json", headers=headers)
