"""What the outbox keeps: facts until everybody has them, people only as long as needed, memory bounded in an outage."""

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.events.crm import ContactChanged, EnrolledPhone, LeadEnrolled
from services.runtime.bus import Bus
from services.runtime.ids import new_id
from services.runtime.kafka import KafkaBus
from services.runtime.outbox import append, republish
from services.runtime.postgres import transaction
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.peers import Databases, RunningBroker
from tests.runtime.stage import CLOCK, Actor, changed, effect_handlers, prepare, stage
from tests.runtime.waiting import until

pytestmark = [pytest.mark.pg, pytest.mark.timeout(300)]

MakeBus = Callable[[str], Bus]


@pytest.fixture
async def url(databases: Databases) -> AsyncGenerator[str]:
    made = await databases.create(prepare)
    yield made
    await databases.drop(made)


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.broker)])
def make_bus(request: pytest.FixtureRequest) -> MakeBus:
    if request.param == "memory":
        memory = MemoryBroker()
        return lambda _: MemoryBus(memory)
    broker: RunningBroker = request.getfixturevalue("broker")
    return lambda name: KafkaBus(broker.bootstrap, name)


async def enrol(crm: Actor, contact: UUID) -> None:
    phones = (EnrolledPhone(e164="+442079460123"),)
    event = LeadEnrolled(campaign_id=new_id(), contact_id=contact, name="Siân", phones=phones)
    async with transaction(crm.pool, crm.messaging.signal) as conn:
        await append(conn, "crm", [event], now=CLOCK.now(), new_id=new_id)


async def kept(crm: Actor) -> set[UUID]:
    return {row["key"] for row in await crm.pool.fetch("SELECT key FROM outbox")}


async def told(crm: Actor) -> bool:
    return not await crm.pool.fetchval("SELECT count(*) FROM outbox WHERE epoch IS NULL")


async def age(crm: Actor, by: timedelta) -> None:
    """Let the facts be older than they are."""
    await crm.pool.execute("UPDATE outbox SET time = time - $1::interval", by)


async def test_people_are_forgotten_once_everybody_knows_and_other_facts_stay(url: str, make_bus: MakeBus) -> None:
    person, contact = new_id(), new_id()
    async with stage(url, make_bus) as start:
        crm = await start("crm")
        await enrol(crm, person)
        await crm.announce(changed(contact, 0))
        await until(lambda: told(crm), 60)
        await crm.messaging.retention.trim()
        assert await kept(crm) == {person, contact}, "nobody has heard of it yet"
        await start("dialer")

        async def forgotten() -> bool:
            await crm.messaging.retention.trim()
            return await kept(crm) == {contact}

        await until(forgotten, 60)
        assert await republish(crm.pool, ["crm.contacts.v1"], datetime.min.replace(tzinfo=CLOCK.now().tzinfo)) == 1


async def test_people_are_forgotten_after_a_day_even_if_nobody_listens(url: str, make_bus: MakeBus) -> None:
    person, contact = new_id(), new_id()
    async with stage(url, make_bus) as start:
        crm = await start("crm")
        await enrol(crm, person)
        await crm.announce(changed(contact, 0))
        await until(lambda: told(crm), 60)
        await age(crm, timedelta(hours=23))
        await crm.messaging.retention.trim()
        assert await kept(crm) == {person, contact}
        await age(crm, timedelta(hours=2))
        await crm.messaging.retention.trim()
        assert await kept(crm) == {contact}
        await age(crm, timedelta(days=400))
        await crm.messaging.retention.trim()
        assert await kept(crm) == {contact}, "dialer and notifier have not heard it, however old it is"


async def test_facts_go_after_their_retention_once_everybody_has_them(url: str, make_bus: MakeBus) -> None:
    contact = new_id()
    async with stage(url, make_bus) as start:
        crm = await start("crm")
        await start("dialer")
        notifier = await start("notifier", effect_handlers())
        await crm.announce(changed(contact, 0))

        async def confirmed() -> bool:
            return await told(crm) and await crm.messaging.relay.outstanding() == 0

        await until(confirmed, 60)
        await crm.messaging.retention.trim()
        assert await kept(crm) == {contact}
        assert await republish(crm.pool, ["crm.contacts.v1"], CLOCK.now() - timedelta(hours=1)) == 1
        crm.messaging.signal.set()
        await until(confirmed, 60)
        assert await notifier.pool.fetchval("SELECT count(*) FROM effects") == 1, "a repeat has no further effect"
        await age(crm, timedelta(days=8))
        await crm.messaging.retention.trim()
        assert await kept(crm) == set()


def large(contact: UUID, sequence: int) -> ContactChanged:
    return changed(contact, sequence).model_copy(update={"external_id": "x" * 150_000})


async def test_an_outage_costs_no_memory_however_much_waits(url: str) -> None:
    """60 MB wait; what the relay holds meanwhile is a batch per lane."""
    memory = MemoryBroker()
    contacts = [new_id() for _ in range(40)]
    async with stage(url, lambda _: MemoryBus(memory)) as start:
        notifier = await start("notifier", effect_handlers())
        crm = await start("crm")
        await crm.announce(*(changed(contact, 0) for contact in contacts))
        await until(lambda: told(crm), 60)
        await crm.messaging.relay.hold()
        for sequence in range(1, 11):
            await crm.announce(*(large(contact, sequence) for contact in contacts))
        memory.away = True
        tracemalloc.start()
        crm.messaging.relay.release()
        await asyncio.sleep(2.0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert not await told(crm)
        assert [await check.health() for check in crm.messaging.checks if not (await check.health()).ready]
        assert 1_000_000 < peak < 12_000_000, f"{peak:,} bytes"
        memory.away = False

        async def arrived() -> bool:
            return await notifier.pool.fetchval("SELECT count(*) FROM effects") == 440

        await until(arrived, 60)
        rows = await notifier.pool.fetch(
            "SELECT contact_id, array_agg(sequence ORDER BY n) AS s FROM effects GROUP BY 1"
        )
        assert [row["s"] for row in rows] == [list(range(11))] * 40
