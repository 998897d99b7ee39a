"""What a consumer does with records that cannot be applied: none is lost, and none holds the others up."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.events.crm import ContactChanged
from services.events.envelope import Envelope
from services.runtime.bus import Bus, Outgoing, Partition
from services.runtime.consumer import Handlers, Received, failures, loop
from services.runtime.epoch import EPOCH_HEADER
from services.runtime.errors import GalwError, NotFoundError, RejectedError, UnavailableError
from services.runtime.ids import new_id
from services.runtime.kafka import KafkaBus
from services.runtime.outbox import append, republish, shard_of
from services.runtime.postgres import Connection, transaction
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.peers import Databases, RunningBroker
from tests.runtime.stage import NOW, Actor, changed, prepare, record_effects, stage
from tests.runtime.waiting import until

pytestmark = [pytest.mark.pg, pytest.mark.timeout(300)]

TOPIC = ContactChanged.topic.name


@pytest.fixture
async def url(databases: Databases) -> AsyncGenerator[str]:
    made = await databases.create(prepare)
    yield made
    await databases.drop(made)


class Scene:
    """The notifier hears contacts; *trouble* says what its handler raises for a person."""

    def __init__(self, crm: Actor, notifier: Actor, outside: Bus, trouble: dict[UUID, Exception]) -> None:
        self.crm = crm
        self.notifier = notifier
        self.outside = outside
        self.trouble = trouble

    async def put(self, value: bytes, **headers: str) -> None:
        """Write a record into shard 0, as anybody with access to the broker could."""
        named = tuple((name, text.encode()) for name, text in headers.items())
        await self.outside.publish(Partition(TOPIC, 0), [Outgoing(b"key", value, named)])

    async def effects(self, person: UUID) -> list[int]:
        rows = await self.notifier.pool.fetch("SELECT sequence FROM effects WHERE contact_id = $1 ORDER BY n", person)
        return [row["sequence"] for row in rows]

    def has(self, person: UUID, *sequences: int) -> Callable[[], Awaitable[bool]]:
        async def there() -> bool:
            return await self.effects(person) == list(sequences)

        return there

    async def letters(self) -> list[Any]:
        return await self.notifier.pool.fetch("SELECT * FROM dead_letters ORDER BY dead_at, record_offset")

    async def flows(self) -> None:
        """Prove that the consumer goes on with the same partition."""
        person = UUID(int=new_id().int & ~7)  # in shard 0, behind what was put there
        await self.crm.announce(changed(person, 0))
        await until(self.has(person, 0), 30)


def troubled(trouble: dict[UUID, Exception]) -> Handlers:
    handlers = Handlers()

    @handlers.on(ContactChanged)
    async def on_changed(conn: Connection, events: Sequence[Received[ContactChanged]]) -> None:
        await record_effects(conn, events)
        for event in events:
            if event.event.contact_id in trouble:
                raise trouble[event.event.contact_id]

    return handlers


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.broker)])
async def scene(request: pytest.FixtureRequest, url: str) -> AsyncGenerator[Scene]:
    if request.param == "memory":
        memory = MemoryBroker()
        make: Callable[[str], Bus] = lambda _: MemoryBus(memory)  # noqa: E731
    else:
        broker: RunningBroker = request.getfixturevalue("broker")
        make = lambda name: KafkaBus(broker.bootstrap, name)  # noqa: E731
    trouble: dict[UUID, Exception] = {}
    async with stage(url, make) as start:
        notifier = await start("notifier", troubled(trouble), failures_limit=5)
        crm = await start("crm")
        await until(lambda: crm.messaging.epochs.fresh(TOPIC) is not None, 30)
        outside = make("outside")
        yield Scene(crm, notifier, outside, trouble)
        await outside.close()


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("consumer_records_total", {"service": "notifier", "outcome": outcome}) or 0.0


class HandlerBugError(Exception):
    """What nobody expected."""


async def test_a_failing_key_waits_in_order_while_all_others_flow(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_FIRST_RETRY", failures._FIRST_RETRY / 10)  # pyright: ignore[reportPrivateUsage]
    stuck = new_id()
    other = UUID(int=(new_id().int & ~7) | shard_of(stuck))  # in the same partition, behind the one that is stuck
    scene.trouble[stuck] = HandlerBugError("a phone number, perhaps")
    for sequence in range(3):
        await scene.crm.announce(changed(stuck, sequence), changed(other, sequence))
    await until(scene.has(other, 0, 1, 2), 30)
    parked = await scene.notifier.pool.fetch("SELECT reason FROM parked ORDER BY seq")
    assert [row["reason"] for row in parked] == [
        "bug: HandlerBugError",
        "waits for earlier records of its key",
        "waits for earlier records of its key",
    ]
    assert await scene.effects(stuck) == []
    del scene.trouble[stuck]
    await until(scene.has(stuck, 0, 1, 2), 30)
    await scene.crm.announce(changed(stuck, 3))
    await until(scene.has(stuck, 0, 1, 2, 3), 30)
    assert await scene.letters() == []


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b'{"contact_id": ', {}, "undecodable: "),
        (b"\xff\xfe", {}, "undecodable: "),
        (b"", {}, "undecodable: "),
        (b'{"contact_id": "+441632960000", "sequence": "x", "created": 7}', {}, "undecodable: contact_id: "),
        (b"{}", {"ce_type": "crm.contact.changed.v9"}, "unknown version 9 of crm.contact.changed"),
        (b"{}", {"ce_source": "stranger"}, "a record of a foreign source on crm.contacts.v1"),
        (b"{}", {"ce_id": ""}, "undecodable: "),
        (b"{}", {"ce_type": "dialer.call.ended.v1"}, "dialer.call.ended.v1 does not belong on crm.contacts.v1"),
    ],
)
async def test_what_cannot_be_an_event_is_kept_with_its_bytes_and_the_reason(
    scene: Scene, value: bytes, headers: dict[str, str], reason: str
) -> None:
    usual = {"ce_id": str(new_id()), "ce_source": "crm", "ce_type": "crm.contact.changed.v1"}
    await scene.put(value, **(usual | headers))
    await scene.flows()
    (letter,) = await scene.letters()
    assert letter["reason"].startswith(reason)
    assert "+44" not in letter["reason"]
    assert letter["value"] == value
    assert failures.to_record(letter).header("ce_type") == (usual | headers)["ce_type"]


async def test_a_record_that_is_no_cloud_event_is_a_dead_letter(scene: Scene) -> None:
    await scene.put(b"hello", ce_id="1")
    await scene.put(b"hello", ce_type="crm.contact.changed.v1", ce_source="crm")
    await scene.flows()
    assert [letter["reason"] for letter in await scene.letters()] == [
        "no header ce_type: not a CloudEvent in binary mode",
        "no header ce_id: without an identity a repeat could not be told from news",
    ]


async def test_an_unknown_type_is_skipped_and_counted_and_can_be_told_again(scene: Scene) -> None:
    before = counted("unknown_type")
    person = new_id()
    # A producer that is newer than its consumer; in one transaction, or the relay might send the type as it was.
    async with transaction(scene.crm.pool, scene.crm.messaging.signal) as conn:
        await append(conn, "crm", [changed(person, 0)], now=NOW, new_id=new_id)
        await conn.execute("UPDATE outbox SET type = 'crm.contact.congratulated.v1' WHERE key = $1", person)
    await until(lambda: counted("unknown_type") > before, 30)
    assert await scene.letters() == []
    assert await scene.effects(person) == []
    async with transaction(scene.crm.pool) as conn:  # the consumer learned the type
        await conn.execute("UPDATE outbox SET type = 'crm.contact.changed.v1' WHERE key = $1", person)
    assert await republish(scene.crm.pool, [TOPIC], NOW.replace(year=2000)) == 1
    await until(scene.has(person, 0), 30)


@pytest.mark.parametrize(
    ("error", "letters"), [(RejectedError("It can never work."), 1), (NotFoundError("There is no such campaign."), 0)]
)
async def test_a_refusal_is_final(scene: Scene, error: GalwError, letters: int) -> None:
    person = UUID(int=new_id().int & ~7)
    scene.trouble[person] = error
    await scene.crm.announce(changed(person, 0))
    await scene.flows()
    del scene.trouble[person]
    found = await scene.letters()
    assert [letter["reason"] for letter in found] == [f"{error.code}: {error.message}"] * letters
    assert await scene.effects(person) == []


async def test_a_dependency_that_is_away_is_waited_for(scene: Scene) -> None:
    person = UUID(int=new_id().int & ~7)
    scene.trouble[person] = UnavailableError("The mail server is away.", retry_after_s=0.1)
    await scene.crm.announce(changed(person, 0))

    async def says_why() -> bool:
        return "The mail server is away." in (await scene.notifier.messaging.consumer.health()).detail

    await until(says_why, 30)
    assert await scene.notifier.pool.fetchval("SELECT count(*) FROM parked") == 0
    del scene.trouble[person]
    await until(scene.has(person, 0), 30)


async def test_a_hole_in_the_log_is_not_confirmed_before_a_new_epoch_could_explain_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.flows()
    epoch = scene.crm.messaging.epochs.of(TOPIC)
    seen = "SELECT publication FROM watermarks WHERE topic = $1 AND partition = 0 AND source = 'crm'"
    before = await scene.notifier.pool.fetchval(seen, TOPIC)
    after = changed(UUID(int=new_id().int & ~7), 0)
    envelope = Envelope.of(after, id=new_id(), source="crm", time=NOW)
    chain = {"galw_publication": str(before + 9), "galw_previous": str(before + 5), EPOCH_HEADER: str(epoch)}
    told = {"ce_id": str(envelope.id), "ce_source": "crm", "ce_type": envelope.type, "ce_time": NOW.isoformat()}
    await scene.put(envelope.payload, **told, **chain, ce_specversion="1.0", galw_shard="0")
    await asyncio.sleep(1.5)
    assert await scene.notifier.pool.fetchval(seen, TOPIC) == before
    assert await scene.effects(after.contact_id) == []
    monkeypatch.setattr(loop, "HOLE_PATIENCE_S", 1.0)
    await until(scene.has(after.contact_id, 0), 30)
    assert await scene.notifier.pool.fetchval(seen, TOPIC) == before + 9


async def test_too_many_failures_stop_the_topic_instead_of_draining_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_STOPPED_S", 0.5)
    for _ in range(20):
        await scene.put(b"bad", ce_id=str(new_id()), ce_source="crm", ce_type="crm.contact.changed.v1")

    async def stopped() -> bool:
        return "Reading crm.contacts.v1 stopped" in (await scene.notifier.messaging.consumer.health()).detail

    await until(stopped, 30)
    kept = len(await scene.letters())
    assert kept <= 5
    await asyncio.sleep(1.2)  # it tries again, and stops again
    assert len(await scene.letters()) == kept
    scene.notifier.messaging.consumer._applier._limit = 100  # pyright: ignore[reportPrivateUsage] - as after a restart
    await scene.flows()
    assert not await stopped()
    assert len(await scene.letters()) == 20
