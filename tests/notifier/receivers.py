"""Partners' servers, real ones, with the faults that real ones have."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

from aiohttp import web
from standardwebhooks import Webhook

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Received:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """A server that remembers what it got and answers as it is told."""

    url: str = ""
    behave: Behaviour | None = None
    got: list[Received] = field(default_factory=list[Received])

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.got]

    def verify(self, secret: str) -> list[object]:
        """Return every body, each verified with *secret* by the reference library."""
        return [Webhook(secret).verify(one.body, one.headers) for one in self.got]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Received(headers, await request.read()))
        if self.behave is None:
            return web.Response(text="thanks")
        return await self.behave(request)


@asynccontextmanager
async def receiving(behave: Behaviour | None = None, ssl: SSLContext | None = None) -> AsyncGenerator[Receiver]:
    """Run a receiver on a free port of this machine."""
    receiver = Receiver(behave=behave)
    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl)
    await site.start()
    receiver.url = f"{'https' if ssl else 'http'}://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def status(code: int, **headers: str) -> Behaviour:
    """Answer *code* with *headers* (underscores become hyphens)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=named, text=f"status {code}")

    return behave


def slow(seconds: float) -> Behaviour:
    """Answer 200 after *seconds*."""

    async def behave(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response()

    return behave


async def reset(request: web.Request) -> web.StreamResponse:
    """Cut the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def body_of(size: int, *, pause_s: float = 0.0) -> Behaviour:
    """Answer 200 with *size* bytes in pieces, *pause_s* after each."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(0, size, 4096):
                await response.write(b"x" * min(4096, size))
                await asyncio.sleep(pause_s)
        except ConnectionError:
            pass
        return response

    return behave
