"""The supervisor's own endpoint: what runs and what it costs, and the planned restart of the broker.

It listens on a free port of 127.0.0.1 and wants a random token, which only the services get, in `GALW_CONTROL_URL`.
The services ask whether a restart of the broker is wanted, stop sending, and say so; when all of them are quiet at the
same time the broker is restarted (`runtime/recycle.py` is their side).
"""

import asyncio
import hmac
import math
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ValidationError

from services.standalone.children import footprint
from services.standalone.supervisor import PartStatus, Supervisor

_USER = "galw"
_QUIET_FOR_S = 15.0
"""How long a service's word that it is quiet holds; the service itself holds its sending a few seconds longer."""


@dataclass(frozen=True, slots=True)
class BrokerLimit:
    """The embedded broker's name among the parts, the memory from which it is due, and the services that use it."""

    name: str
    bytes: int
    services: frozenset[str]


class _Said(BaseModel):
    """A service says that it is quiet."""

    service: str


class _Recycling:
    """Gathers the word of every service, then restarts the broker once."""

    def __init__(self, supervisor: Supervisor, limit: BrokerLimit | None) -> None:
        self._supervisor = supervisor
        self._limit = limit
        self._quiet_since_s: dict[str, float] = {}

    async def get(self, _: web.Request) -> web.Response:
        """Answer whether the broker has grown past its bound; never true for one that is not ours."""
        if self._limit is None:
            return web.json_response({"recycle": False})
        # Reading a process's memory map takes the kernel up to some milliseconds; the proxy must not wait for it.
        parts = await asyncio.to_thread(self._supervisor.status, self._limit.name)
        return web.json_response({"recycle": _due(parts, self._limit)})

    async def post(self, request: web.Request) -> web.Response:
        """Note that a service is quiet; with the last of them the broker is restarted, empty, before the answer."""
        limit = self._limit
        if limit is None:
            return _problem(409, "The broker is not embedded, so it is not the supervisor's to restart.")
        try:
            said = _Said.model_validate_json(await request.read())
        except ValidationError:
            return _problem(422, 'Expected {"service": "…"}.')
        if said.service not in limit.services:
            return _problem(422, f"Expected one of {', '.join(sorted(limit.services))} as the service.")
        now = time.monotonic()
        self._quiet_since_s[said.service] = now
        all_quiet = all(now - self._quiet_since_s.get(name, -math.inf) < _QUIET_FOR_S for name in limit.services)
        if all_quiet:
            self._quiet_since_s.clear()
            await self._supervisor.recycle(limit.name)
        return web.json_response({"recycled": all_quiet})


def control_app(supervisor: Supervisor, token: str, own_pid: int, limit: BrokerLimit | None) -> web.Application:
    """Return the endpoint; *limit* is None when the broker is not ours to restart."""
    app = web.Application(middlewares=[_only_with(token)])
    app.router.add_get("/status", lambda _: get_status(supervisor, own_pid, limit))
    recycling = _Recycling(supervisor, limit)
    app.router.add_get("/broker", recycling.get)
    app.router.add_post("/recycle-broker", recycling.post)
    return app


def control_url(port: int, token: str) -> str:
    """Return the address that carries the token, as clients of HTTP understand it."""
    return f"http://{_USER}:{token}@127.0.0.1:{port}"


async def get_status(supervisor: Supervisor, own_pid: int, limit: BrokerLimit | None) -> web.Response:
    """Answer what runs: for each part pid, restarts, seconds up, memory and processor time; and what all use."""
    parts = await asyncio.to_thread(supervisor.status)  # as above
    own = await asyncio.to_thread(footprint, own_pid)
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
            "recycle_due": _due(parts, limit),
        }
    )


def _due(parts: Sequence[PartStatus], limit: BrokerLimit | None) -> bool:
    if limit is None:
        return False
    return any(part.name == limit.name and part.footprint.memory_bytes > limit.bytes for part in parts)


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
