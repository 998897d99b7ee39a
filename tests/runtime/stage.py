"""A small stage for messaging: the CRM announces contacts, the notifier hears them, on whatever bus a test brings."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from services.events.crm import ContactChanged
from services.runtime.bus import Bus
from services.runtime.clock import SystemClock
from services.runtime.consumer import Handlers, Received
from services.runtime.ids import new_id
from services.runtime.messaging import Messaging
from services.runtime.outbox import append
from services.runtime.postgres import Connection, Pool, create_pool, migrate, transaction

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLOCK = SystemClock()
SERVICES = ("crm", "dialer", "notifier")


async def prepare(url: str) -> None:
    """Migrate all schemas and give the notifier a table of effects."""
    for schema in SERVICES:
        await migrate(url, schema, ("services.runtime",))
    async with await create_pool(url, "notifier") as pool:
        await pool.execute(
            "CREATE TABLE effects (n bigint GENERATED ALWAYS AS IDENTITY, contact_id uuid, sequence int, event_id uuid)"
        )


def changed(contact: UUID, sequence: int) -> ContactChanged:
    """Return one fact of one person."""
    return ContactChanged(contact_id=contact, sequence=sequence, created=sequence == 0)


async def record_effects(conn: Connection, events: Sequence[Received[ContactChanged]]) -> None:
    """The handler: one row per event, so that a second application would show."""
    await conn.executemany(
        "INSERT INTO effects (contact_id, sequence, event_id) VALUES ($1, $2, $3)",
        [(e.event.contact_id, e.event.sequence, e.envelope.id) for e in events],
    )


def effect_handlers() -> Handlers:
    """Return the notifier's handlers."""
    handlers = Handlers()
    handlers.on(ContactChanged)(record_effects)
    return handlers


class Actor:
    """One instance of one service: its messaging running in tasks."""

    def __init__(self, messaging: Messaging, pool: Pool) -> None:
        self.messaging = messaging
        self.pool = pool
        self._tasks = [asyncio.get_running_loop().create_task(loop()) for loop in messaging.loops]

    async def stop(self) -> None:
        pending = set(self._tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=1.0)
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome
        await self.messaging.close()
        await self.pool.close()

    async def announce(self, *facts: ContactChanged) -> None:
        async with transaction(self.pool, self.messaging.signal) as conn:
            await append(conn, self.messaging.service, facts, now=CLOCK.now(), new_id=new_id)


@asynccontextmanager
async def stage(url: str, make_bus: Callable[[str], Bus]) -> AsyncGenerator[Callable[..., "asyncio.Future[Actor]"]]:
    """Yield a function that starts an instance of a service; all are stopped at the end."""
    actors: list[Actor] = []

    async def start(service: str, handlers: Handlers | None = None, **options: object) -> Actor:
        pool = await create_pool(url, service)
        messaging = Messaging(
            service,
            database_url=url,
            pool=pool,
            bus=make_bus(service),
            handlers=handlers or Handlers(),
            clock=CLOCK,
            new_id=new_id,
            **options,  # pyright: ignore[reportArgumentType]
        )
        actors.append(Actor(messaging, pool))
        return actors[-1]

    try:
        yield start  # pyright: ignore[reportReturnType]
    finally:
        for actor in actors:
            await actor.stop()
