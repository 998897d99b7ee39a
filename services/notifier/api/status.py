"""The notifier in figures, for the status page."""

from collections.abc import Callable
from dataclasses import asdict

from pydantic import BaseModel

from services.notifier.api.access import PREFIX
from services.notifier.ports import Store
from services.runtime.clock import Clock
from services.runtime.counted import Counted
from services.runtime.http import PUBLIC, Routes

FRESH_S = 1.0
"""Figures are counted at most this often, however many ask: the route is open, and counting costs."""


class Webhooks(BaseModel):
    """Deliveries to partners; `lag_s` is the age of the one that is longest due, `waiting` are retries to come."""

    due: int
    waiting: int
    lag_s: float
    delivered_per_minute: int
    exhausted_per_minute: int
    disabled_endpoints: int
    in_hand: int


class Messages(BaseModel):
    """Messages to people."""

    due: int
    lag_s: float
    settled_per_minute: int


class Status(BaseModel):
    """Counts only: nothing about a person or a partner."""

    webhooks: Webhooks
    messages: Messages


def status_routes(store: Store, clock: Clock, in_hand: Callable[[], int]) -> Routes:
    """Return the route of the figures; *in_hand* says how many webhooks this instance is sending."""
    routes = Routes(prefix=PREFIX, tag="status")

    async def count() -> Status:
        now = clock.now()
        async with store.transaction() as tx:
            webhooks = await tx.deliveries.figures(now)
            messages = await tx.messages.figures(now)
        return Status(webhooks=Webhooks(**asdict(webhooks), in_hand=in_hand()), messages=Messages(**asdict(messages)))

    counted = Counted(count, clock, every_s=FRESH_S)

    @routes.get("/status", roles=PUBLIC, summary="The notifier in figures, without anything about a person")
    async def get_status() -> Status:
        return await counted.get()

    return routes
