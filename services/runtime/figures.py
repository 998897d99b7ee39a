"""What every service tells about itself at `/api/<service>/health`: whether it is ready, and how far behind it is.

The route is open, so it has counts and reasons only, nothing about a person; and it is counted at most once a second.
"""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from services.runtime.clock import Clock
from services.runtime.counted import Counted
from services.runtime.health import Check, not_ready
from services.runtime.http import PUBLIC, Routes
from services.runtime.messaging import Messaging
from services.runtime.postgres import Pool, transaction
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime")
FRESH_S = 1.0


class WaitingFor(BaseModel):
    """A part that cannot do its work now, and why."""

    name: str
    detail: str


class ServiceHealth(BaseModel):
    """One service: its readiness and its messaging."""

    ready: bool
    waiting_for: list[WaitingFor]
    outbox_waiting: int = Field(description="Facts that wait to be sent to the broker.")
    outbox_oldest_s: float = Field(description="How long the oldest of them has waited, seconds.")
    unread: int = Field(description="Records at the broker that this instance has not read yet.")
    dead_letters: int = Field(description="Records that can never be used, kept with the reason.")
    parked_keys: int = Field(description="Keys whose records wait for a cause to be mended.")


def health_routes(service: str, pool: Pool, messaging: Messaging, checks: Sequence[Check], clock: Clock) -> Routes:
    """Return the route of the health of *service*; it answers 503 while PostgreSQL is away."""
    routes = Routes(prefix=f"/api/{service}", tag="status")

    async def count() -> ServiceHealth:
        async with transaction(pool) as conn:
            row = await conn.fetchrow(SQL["messaging_figures"])
        waiting = await not_ready(checks)
        return ServiceHealth(
            ready=not waiting,
            waiting_for=[WaitingFor(name=one.name, detail=one.detail) for one in waiting],
            unread=messaging.consumer.unread(),
            **dict(row or {}),
        )

    counted = Counted(count, clock, every_s=FRESH_S)

    @routes.get("/health", roles=PUBLIC, summary="Whether the service is ready, and how far behind it is")
    async def get_health() -> ServiceHealth:
        return await counted.get()

    return routes
