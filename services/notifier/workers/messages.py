"""The loops that send messages to people and that forget what is old."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from services.notifier.ports import Store
from services.notifier.usecases.deliveries import forget_old_webhooks
from services.notifier.usecases.messages import Sending, blank_old_messages, send_due
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError

_LOG = structlog.get_logger(__name__)

BATCH = 200
"""Messages claimed at once: one transaction to claim, one to settle."""

IDLE_S = 0.5
TIDY_S = 60.0
TIDY_ROWS = 2_000
"""Rows that one step of forgetting takes, so that it locks little and holds nobody up."""


async def run_messages(store: Store, sending: Sending) -> None:
    """Send due messages for ever."""

    async def step() -> bool:
        return await send_due(store, sending, BATCH) == BATCH

    await _run("messages", step, sending.clock, IDLE_S)


async def run_forgetting(store: Store, clock: Clock, *, webhooks_kept: timedelta, messages_kept: timedelta) -> None:
    """Delete old webhooks and empty old messages for ever."""

    async def step() -> bool:
        more = await forget_old_webhooks(store, webhooks_kept, clock.now(), TIDY_ROWS)
        return await blank_old_messages(store, messages_kept, clock.now(), TIDY_ROWS) or more

    await _run("forgetting", step, clock, TIDY_S)


async def _run(name: str, step: Callable[[], Awaitable[bool]], clock: Clock, idle_s: float) -> None:
    """Repeat *step*: at once while it finds work, else after *idle_s*; an outage is waited out."""
    while True:
        try:
            busy = await step()
        except UnavailableError as error:
            _LOG.warning("notifier.loop_waits", loop=name, reason=error.message)
            await clock.sleep(error.retry_after_s)
            continue
        if not busy:
            await clock.sleep(idle_s)
