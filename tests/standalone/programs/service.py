"""A stand-in for a service: says on request what it was told; ends when it is told to."""

import os
import sys

from aiohttp import web


async def tell(request: web.Request) -> web.Response:
    return web.json_response(
        {"name": sys.argv[1], "env": {name: value for name, value in os.environ.items() if name.startswith("GALW_")}}
    )


async def end(request: web.Request) -> web.Response:
    os._exit(7)


app = web.Application()
app.router.add_post("/{path:.*}", end)
app.router.add_get("/{path:.*}", tell)
web.run_app(app, host=os.environ["GALW_HTTP_HOST"], port=int(os.environ["GALW_HTTP_PORT"]), print=None)
