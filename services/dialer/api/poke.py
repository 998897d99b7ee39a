"""What instances of the dialer tell each other: what was committed about operators and calls, what holds a pool."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from services.runtime.http import PUBLIC, Call, Input, Routes

POKE_PATH = "/internal/poke"
POOLS_PATH = "/internal/pools"

Hear = Callable[["Poke"], Awaitable[None]]
"""Takes in a poke on the instance that owns the pool."""

CheckInternal = Callable[[web.Request], None]
"""Raises unless the request comes from an instance of this deployment."""


WhyNotDialing = Callable[[UUID], str | None]
"""Returns what holds back every call of a pool that is owned here, None when nothing does or it is not."""


class Holding(BaseModel):
    """What the owner of a pool says."""

    held_back_by: str | None


class Poke(Input):
    """What to read again; with neither id, everything: campaigns, operators, stops."""

    operator_id: UUID | None = Field(None)
    attempt_id: UUID | None = Field(None)


def poke_routes(hear: Hear, why_not: WhyNotDialing, check: CheckInternal) -> Routes:
    """Return the routes that other instances use."""
    routes = Routes(prefix="", tag="internal")

    @routes.post(POKE_PATH, roles=PUBLIC, summary="Read again what another instance committed")
    async def post_poke(call: Call, body: Poke) -> None:
        """For instances of Galw only: they know the secret of this deployment."""
        check(call.request)
        await hear(body)

    @routes.get(f"{POOLS_PATH}/{{pool_id}}", roles=PUBLIC, summary="What holds back every call of a pool owned here")
    async def get_pool_holding(call: Call, pool_id: UUID) -> Holding:
        """For instances of Galw only."""
        check(call.request)
        return Holding(held_back_by=why_not(pool_id))

    return routes
