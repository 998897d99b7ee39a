"""`python -m tests.runtime.live.server PORT`: a live line in a process of its own that tests may kill."""

import asyncio
import sys
from typing import Any

from aiohttp import web

from services.runtime.clock import SystemClock
from services.runtime.http import build_app
from services.runtime.identity import Principal, Role
from services.runtime.live import LiveHub, live_routes
from tests.fakes.verifier import PlainVerifier


async def serve(port: int) -> None:
    """Serve until killed, and publish something ten times a second to whoever is connected."""
    clock = SystemClock()
    hub = LiveHub(clock)

    async def snapshot(principal: Principal) -> dict[str, Any]:
        return {"name": principal.name}

    verifier = PlainVerifier()
    routes = live_routes(hub, verifier, snapshot, path="/api/dialer/live", roles={Role.OPERATOR})
    runner = web.AppRunner(build_app("dialer", [routes], verifier=verifier, clock=clock))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    while True:
        hub.publish_to_all(hub.connected(), "tick", None)
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
