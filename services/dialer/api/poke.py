"""What instances of the dialer tell each other: somebody committed something about an operator or a call."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from aiohttp import web
from pydantic import Field

from services.runtime.http import PUBLIC, Call, Input, Routes

POKE_PATH = "/internal/poke"

Hear = Callable[["Poke"], Awaitable[None]]
"""Takes in a poke on the instance that owns the pool."""

CheckInternal = Callable[[web.Request], None]
"""Raises unless the request comes from an instance of this deployment."""


class Poke(Input):
    """What to read again; with neither id, everything: campaigns, operators, stops."""

    operator_id: UUID | None = Field(None)
    attempt_id: UUID | None = Field(None)


def poke_routes(hear: Hear, check: CheckInternal) -> Routes:
    """Return the route that other instances poke."""
    routes = Routes(prefix="", tag="internal")

    @routes.post(POKE_PATH, roles=PUBLIC, summary="Read again what another instance committed")
    async def post_poke(call: Call, body: Poke) -> None:
        """For instances of Galw only: they know the secret of this deployment."""
        check(call.request)
        await hear(body)

    return routes
