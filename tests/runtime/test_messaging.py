"""Outbox, epochs and consumer together: nothing lost, nothing doubled in effect, order per key kept."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID

import pytest

from services.runtime.bus import Bus
from services.runtime.ids import new_id
from services.runtime.kafka import KafkaBus
from services.runtime.outbox import shard_of
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.peers import Databases, RunningBroker
from tests.runtime.stage import Actor, changed, effect_handlers, prepare, stage
from tests.runtime.waiting import until

pytestmark = [pytest.mark.pg, pytest.mark.timeout(240)]


class Grid:
    """The broker under test with what tests do to it."""

    def __init__(self, make_bus: Callable[[str], Bus], forget: Callable[[], None]) -> None:
        self.make_bus = make_bus
        self.forget = forget


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.broker)])
def grid(request: pytest.FixtureRequest) -> Grid:
    if request.param == "memory":
        memory = MemoryBroker()
        return Grid(lambda _: MemoryBus(memory), memory.forget)
    broker: RunningBroker = request.getfixturevalue("broker")
    return Grid(lambda service: KafkaBus(broker.bootstrap, service), broker.restart)


@pytest.fixture
async def url(databases: Databases) -> AsyncGenerator[str]:
    made = await databases.create(prepare)
    yield made
    await databases.drop(made)


async def effects(actor: Actor) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = {}
    for row in await actor.pool.fetch("SELECT contact_id, sequence FROM effects ORDER BY n"):
        found.setdefault(row["contact_id"], []).append(row["sequence"])
    return found


def wrong(found: dict[UUID, list[int]], expected: dict[UUID, int]) -> dict[str, str]:
    """Return what is wrong with every person whose facts did not arrive as 0, 1, 2 … up to the expected number."""
    faults: dict[str, str] = {}
    for key, number in expected.items():
        got = found.get(key, [])
        if got != list(range(number)):
            at = next((i for i, (a, b) in enumerate(zip(got, range(number), strict=False)) if a != b), len(got))
            faults[f"{key} shard {shard_of(key)}"] = (
                f"{len(got)} of {number}, {len(got) - len(set(got))} doubled, from place {at}: {got[max(0, at - 2) :]}"
            )
    return faults


def arrived(actor: Actor, number: int) -> Callable[[], Awaitable[bool]]:
    async def all_there() -> bool:
        return await actor.pool.fetchval("SELECT count(*) FROM effects") >= number

    return all_there


async def test_facts_arrive_once_in_order_and_are_confirmed(grid: Grid, url: str) -> None:
    contacts = [new_id() for _ in range(50)]
    async with stage(url, grid.make_bus) as start:
        notifier = await start("notifier", effect_handlers())
        crm = await start("crm")
        await start("dialer")  # hears contacts too, and confirms them without a handler
        for sequence in range(10):
            await crm.announce(*(changed(contact, sequence) for contact in contacts))
        await until(arrived(notifier, 500), 90)
        assert await effects(notifier) == {contact: list(range(10)) for contact in contacts}

        async def confirmed() -> bool:
            return await crm.messaging.relay.outstanding() == 0

        await until(confirmed)
        for check in (*crm.messaging.checks, *notifier.messaging.checks):
            health = await check.health()
            assert health.ready, health


async def test_a_broker_that_forgets_everything_in_full_flow_loses_and_doubles_nothing(grid: Grid, url: str) -> None:
    contacts = [new_id() for _ in range(40)]
    chance = random.Random(7)
    async with stage(url, grid.make_bus) as start:
        notifier = await start("notifier", effect_handlers())
        crm = await start("crm")
        next_sequence = dict.fromkeys(contacts, 0)

        async def flow() -> None:
            for _ in range(400):
                chosen = chance.sample(contacts, 10)
                await crm.announce(*(changed(contact, next_sequence[contact]) for contact in chosen))
                for contact in chosen:
                    next_sequence[contact] += 1
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group:
            group.create_task(flow())
            for _ in range(3):
                await asyncio.sleep(chance.uniform(1.0, 3.0))
                await asyncio.to_thread(grid.forget)
        await until(arrived(notifier, sum(next_sequence.values())), 120)
        assert wrong(await effects(notifier), next_sequence) == {}


async def test_two_instances_share_and_the_survivor_takes_over(grid: Grid, url: str) -> None:
    contacts = [new_id() for _ in range(40)]
    async with stage(url, grid.make_bus) as start:
        first = await start("notifier", effect_handlers())
        second = await start("notifier", effect_handlers())
        crm = await start("crm")
        await until(lambda: len(first.messaging.shards.tokens) == len(second.messaging.shards.tokens) == 4)
        for sequence in range(5):
            await crm.announce(*(changed(contact, sequence) for contact in contacts))
        await until(arrived(second, 200), 90)
        await first.messaging.shards._connection.close()  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
        for sequence in range(5, 10):
            await crm.announce(*(changed(contact, sequence) for contact in contacts))
        await until(arrived(second, 400), 90)
        assert await effects(second) == {contact: list(range(10)) for contact in contacts}
