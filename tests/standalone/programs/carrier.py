"""A stand-in for the simulated carrier: listens where it is told and says so."""

import asyncio
import json
import sys

from aiohttp import web


async def main() -> None:
    port = int(sys.argv[sys.argv.index("--port") + 1])
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


asyncio.run(main())
