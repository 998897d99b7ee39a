"""The notifier on a real PostgreSQL: its store, partners with endpoints, loops that run, a clock that tests move on."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.events.envelope import Event
from services.notifier.domain.addresses import AddressPolicy
from services.notifier.domain.partners import Endpoint, Partner
from services.notifier.domain.sealing import Seal
from services.notifier.domain.signatures import Scheme
from services.notifier.gateways import WebhookPoster
from services.notifier.store import PgStore
from services.notifier.usecases.announcing import tell_partners
from services.notifier.usecases.partners import Draft, Secrets, create_endpoint
from services.notifier.workers.deliveries import DeliveryLimits, DeliveryLoop
from services.runtime.clock import SystemClock
from services.runtime.ids import new_id
from services.runtime.postgres import Pool, create_pool, migrate
from tests.peers import Databases

POLICY = AddressPolicy(["127.0.0.0/8"])
SEAL = Seal(b"a key for tests, 32 bytes long..")
PHONE_KEY = b"a key for tests!"


class ShiftedClock(SystemClock):
    """The host's clock, moved on by tests; waiting takes real time."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.shift


async def migrate_notifier(url: str) -> None:
    await migrate(url, "notifier", ["services.runtime", "services.notifier"])


@pytest.fixture
async def notifier_url(databases: Databases) -> AsyncGenerator[str]:
    url = await databases.create(migrate_notifier)
    yield url
    await databases.drop(url)


@pytest.fixture
async def pool(notifier_url: str) -> AsyncGenerator[Pool]:
    made = await create_pool(notifier_url, "notifier")
    yield made
    await made.close()


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


class House:
    """What tests do with the notifier's outgoing side."""

    def __init__(self, pool: Pool, clock: ShiftedClock) -> None:
        self.pool = pool
        self.clock = clock
        self.store = PgStore(pool)
        self.secrets = Secrets(SEAL, os.urandom, new_id)

    async def partner(self, name: str = "Partner", campaign_ids: frozenset[UUID] | None = None) -> UUID:
        partner = Partner(new_id(), name, campaign_ids, self.clock.now())
        async with self.store.transaction() as tx:
            await tx.partners.add(partner)
        return partner.id

    async def endpoint(
        self, url: str, *subscriptions: str, partner_id: UUID | None = None, scheme: Scheme = Scheme.HMAC
    ) -> Endpoint:
        owner = partner_id or await self.partner(f"Partner {new_id()}")
        draft = Draft(url, "", subscriptions or ("*",), True)
        return await create_endpoint(
            self.store, None, owner, new_id(), draft, scheme, POLICY, self.secrets, self.clock.now()
        )

    async def secret(self, endpoint_id: UUID) -> str:
        async with self.store.transaction() as tx:
            live = await tx.partners.secrets(endpoint_id, self.clock.now())
        return self.secrets.open(live[0]).shown()

    async def tell(self, *events: Event) -> list[UUID]:
        """Hear these facts; return their ids."""
        now = self.clock.now()
        facts = [(new_id(), event, now) for event in events]
        async with self.store.transaction() as tx:
            await tell_partners(tx, facts, now)
        return [fact_id for fact_id, _, _ in facts]

    async def state(self, endpoint: Endpoint, event_id: UUID) -> str:
        async with self.store.transaction() as tx:
            found = await tx.deliveries.find(endpoint.id, event_id)
        assert found is not None
        return found[0].state

    async def states(self) -> dict[str, int]:
        rows = await self.pool.fetch("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
        return {row["state"]: row["n"] for row in rows}

    async def now_endpoint(self, endpoint_id: UUID) -> Endpoint:
        async with self.store.transaction() as tx:
            found = await tx.partners.find_endpoint(endpoint_id)
        assert found is not None
        return found

    @asynccontextmanager
    async def sending(
        self, *, timeout_s: float = 5.0, limits: DeliveryLimits | None = None, loops: int = 1
    ) -> AsyncGenerator[Sequence[DeliveryLoop]]:
        """Run *loops* delivery loops, as so many instances would."""
        chosen = limits or DeliveryLimits(poll_s=0.02)
        async with AsyncExitStack() as stack:
            poster = await stack.enter_async_context(WebhookPoster(POLICY, self.clock, timeout_s=timeout_s))
            made = [
                DeliveryLoop(self.store, poster, SEAL, self.clock, new_id, lambda: random.uniform(-1, 1), chosen)
                for _ in range(loops)
            ]
            tasks = [asyncio.get_running_loop().create_task(one.run()) for one in made]
            try:
                yield made
            finally:
                for task in tasks:
                    task.cancel()
                for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                    assert isinstance(outcome, asyncio.CancelledError), outcome


@pytest.fixture
def house(pool: Pool, clock: ShiftedClock) -> House:
    return House(pool, clock)


async def until(true: Callable[[], Awaitable[bool]] | Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until *true* holds; fail when it does not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = true()
        if found is True or (not isinstance(found, bool) and await found):
            return
        assert asyncio.get_running_loop().time() < deadline, "it did not become true in time"
        await asyncio.sleep(0.01)


def noon() -> datetime:
    return datetime(2026, 11, 23, 12, tzinfo=UTC)
