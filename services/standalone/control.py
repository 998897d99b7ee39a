"""The supervisor's own endpoint: what runs and what it costs, and the planned restart of the broker.

It listens on a free port of 127.0.0.1 and wants a random token, which only the services get, in `GALW_CONTROL_URL`.
"""

import asyncio
import hmac
from base64 import b64encode
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from services.standalone.children import footprint
from services.standalone.supervisor import Supervisor

_USER = "galw"


@dataclass(frozen=True, slots=True)
class BrokerLimit:
    """The embedded broker's name among the parts and the memory from which it is due for a planned restart."""

    name: str
    bytes: int


def control_app(supervisor: Supervisor, token: str, own_pid: int, limit: BrokerLimit | None) -> web.Application:
    """Return the endpoint; *limit* is None when the broker is not ours to restart."""
    app = web.Application(middlewares=[_only_with(token)])
    app.router.add_get("/status", lambda _: get_status(supervisor, own_pid, limit))
    app.router.add_post("/recycle-broker", lambda _: post_recycle(supervisor, limit))
    return app


def control_url(port: int, token: str) -> str:
    """Return the address that carries the token, as clients of HTTP understand it."""
    return f"http://{_USER}:{token}@127.0.0.1:{port}"


async def get_status(supervisor: Supervisor, own_pid: int, limit: BrokerLimit | None) -> web.Response:
    """Answer what runs: for each part pid, restarts, seconds up, memory and processor time; and what all use."""
    # Reading a process's memory map takes the kernel up to some milliseconds; the proxy must not wait for it.
    parts = await asyncio.to_thread(supervisor.status)
    own = await asyncio.to_thread(footprint, own_pid)
    broker = next((part for part in parts if limit and part.name == limit.name), None)
    total = sum(part.footprint.memory_bytes for part in parts)
    return web.json_response(
        {
            "parts": [
                {
                    "name": part.name,
                    "pid": part.pid,
                    "up": part.up,
                    "up_s": round(part.up_s, 1),
                    "restarts": part.restarts,
                    "memory_bytes": part.footprint.memory_bytes,
                    "cpu_s": part.footprint.cpu_s,
                }
                for part in parts
            ],
            "memory_bytes": max(total, own.memory_bytes),
            "cpu_s": own.cpu_s,
            "recycle_due": bool(broker and limit and broker.footprint.memory_bytes > limit.bytes),
        }
    )


async def post_recycle(supervisor: Supervisor, limit: BrokerLimit | None) -> web.Response:
    """Restart the embedded broker, empty, and answer when it takes connections again.

    Whoever asks has made sure that everything sent is confirmed; asking twice at once restarts it once.
    """
    if limit is None:
        return _problem(409, "The broker is not embedded, so it is not the supervisor's to restart.")
    await supervisor.recycle(limit.name)
    return web.json_response({"recycled": True})


def _only_with(token: str) -> Middleware:
    expected = "Basic " + b64encode(f"{_USER}:{token}".encode()).decode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            return _problem(401, "The supervisor's token is missing or wrong.")
        return await handler(request)

    return check


def _problem(status: int, title: str) -> web.Response:
    body = {"type": "about:blank", "status": status, "title": title}
    return web.json_response(body, status=status, content_type="application/problem+json")
