"""What every bus promises, held on the broker in memory and on the real one."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import count

import pytest

from services.runtime.bus import Bus, Outgoing, Partition, Reader, Record
from services.runtime.errors import UnavailableError
from services.runtime.kafka import KafkaBus
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.peers import RunningBroker

_NUMBERS = count(1)


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.broker)])
async def bus(request: pytest.FixtureRequest) -> AsyncGenerator[Bus]:
    if request.param == "memory":
        made: Bus = MemoryBus(MemoryBroker())
    else:
        broker: RunningBroker = request.getfixturevalue("broker")
        made = KafkaBus(broker.bootstrap, "contract")
        await made.connect()
        assert made.volatile is not broker.keeps_its_log
    yield made
    await made.close()


@pytest.fixture
async def topic(bus: Bus) -> str:
    name = f"contract.{next(_NUMBERS)}.v1"
    assert await bus.create_topic(name, 3, {"retention.ms": "60000"})
    return name


def records(*values: str) -> list[Outgoing]:
    return [Outgoing(b"key", value.encode(), (("ce_id", value.encode()), ("empty", b""))) for value in values]


async def read(reader: Reader, number: int) -> list[Record]:
    found: list[Record] = []
    for _ in range(50):
        found += await reader.poll(500)
        if len(found) >= number:
            break
    return found


async def test_a_batch_comes_back_in_order_with_key_and_headers(bus: Bus, topic: str) -> None:
    assert await bus.publish(Partition(topic, 1), records("a", "b")) == 0
    assert await bus.publish(Partition(topic, 1), records("c")) == 2
    reader = bus.reader(50)
    await reader.assign({Partition(topic, 1): 0})
    found = await read(reader, 3)
    assert [(r.offset, r.partition, r.key, r.value) for r in found] == [
        (0, 1, b"key", b"a"),
        (1, 1, b"key", b"b"),
        (2, 1, b"key", b"c"),
    ]
    assert found[0].header("ce_id") == "a"
    assert found[0].header("empty") == ""
    assert found[0].header("none") is None
    assert found[0].produced_at.tzinfo is not None
    await reader.close()


async def test_a_reader_starts_and_goes_on_where_it_is_told(bus: Bus, topic: str) -> None:
    await bus.publish(Partition(topic, 0), records("a", "b", "c"))
    await bus.publish(Partition(topic, 2), records("x", "y"))
    reader = bus.reader(50)
    await reader.assign({Partition(topic, 0): 1, Partition(topic, 2): 2})
    assert [r.value for r in await read(reader, 2)] == [b"b", b"c"]
    reader.seek(Partition(topic, 0), 0)
    assert [r.value for r in await read(reader, 3)] == [b"a", b"b", b"c"]
    await reader.assign({Partition(topic, 2): 0})
    assert [r.value for r in await read(reader, 2)] == [b"x", b"y"]
    assert await reader.poll(10) == []
    assert reader.lag() == 0
    await reader.close()


async def test_a_poll_is_bounded(bus: Bus, topic: str) -> None:
    await bus.publish(Partition(topic, 0), records(*"abcde"))
    reader = bus.reader(50)
    await reader.assign({Partition(topic, 0): 0})
    first = await read(reader, 1)
    assert len(first) <= 5
    reader.seek(Partition(topic, 0), 0)
    assert 1 <= len(await _next(reader, 2)) <= 2
    await reader.close()


async def _next(reader: Reader, max_records: int) -> list[Record]:
    for _ in range(50):
        if found := await reader.poll(max_records):
            return found
    return []


async def test_topics_are_listed_made_once_and_deleted(bus: Bus, topic: str) -> None:
    assert (await bus.topics())[topic] == 3
    assert not await bus.create_topic(topic, 3, {})
    await bus.delete_topic(topic)
    assert await _gone(bus, topic)
    await bus.delete_topic(topic)
    assert await bus.create_topic(topic, 3, {})
    assert await bus.publish(Partition(topic, 0), records("new")) == 0


async def _gone(bus: Bus, topic: str) -> bool:
    """Look until *topic* is listed no more: the brokers of Apache Kafka hear of it after the controller."""
    for _ in range(100):
        if topic not in await bus.topics():
            return True
        await asyncio.sleep(0.1)
    return False


async def test_a_deleted_topic_made_again_is_empty(bus: Bus, topic: str) -> None:
    await bus.publish(Partition(topic, 0), records("old", "old"))
    await bus.delete_topic(topic)
    await bus.create_topic(topic, 3, {})
    await bus.publish(Partition(topic, 0), records("new"))
    reader = bus.reader(50)
    await reader.assign({Partition(topic, 0): 0})
    assert [(r.offset, r.value) for r in await read(reader, 1)] == [(0, b"new")]
    await reader.close()


async def test_a_broker_that_is_away_is_unavailable() -> None:
    bus = KafkaBus("127.0.0.1:1", "contract")
    with pytest.raises(UnavailableError, match="Kafka"):
        await bus.topics()
    with pytest.raises(UnavailableError, match="Kafka"):
        await bus.publish(Partition("x", 0), records("a"))
    with pytest.raises(UnavailableError, match="Kafka"):
        await bus.reader(50).assign({Partition("x", 0): 0})
    await bus.close()
