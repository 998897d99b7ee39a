"""A broker in memory: the same contract as Kafka's, plus the faults a test wants."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from services.runtime.bus import Outgoing, Partition, Record
from services.runtime.errors import UnavailableError


class MemoryBroker:
    """The log that several buses share; `forget` empties it, `away` makes every request fail."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime(2026, 11, 23, tzinfo=UTC)) -> None:
        self.now = now
        self.logs: dict[str, list[list[Record]]] = {}
        self.away = False
        self.news = asyncio.Event()

    def forget(self) -> None:
        self.logs.clear()

    def check(self) -> None:
        if self.away:
            raise UnavailableError("The broker in memory is away.")


class MemoryBus:
    """One service's bus on a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker, *, volatile: bool = True) -> None:
        self.broker = broker
        self.volatile = volatile

    async def publish(self, partition: Partition, records: Sequence[Outgoing]) -> int:
        await asyncio.sleep(0)
        self.broker.check()
        partitions = self.broker.logs.get(partition.topic)
        if partitions is None or partition.number >= len(partitions):
            raise UnavailableError(f"There is no {partition.topic}/{partition.number}.")
        log = partitions[partition.number]
        first = len(log)
        for record in records:
            log.append(
                Record(
                    partition.topic,
                    partition.number,
                    len(log),
                    record.key,
                    record.value,
                    record.headers,
                    self.broker.now(),
                )
            )
        self.broker.news.set()
        return first

    async def topics(self) -> Mapping[str, int]:
        await asyncio.sleep(0)
        self.broker.check()
        return {name: len(partitions) for name, partitions in self.broker.logs.items()}

    async def create_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        del config
        self.broker.check()
        if name in self.broker.logs:
            return False
        self.broker.logs[name] = [[] for _ in range(partitions)]
        return True

    async def delete_topic(self, name: str) -> None:
        self.broker.check()
        self.broker.logs.pop(name, None)

    def reader(self, wait_ms: int) -> "MemoryReader":
        return MemoryReader(self.broker, wait_ms)

    async def close(self) -> None:
        await asyncio.sleep(0)


class MemoryReader:
    """Reads a `MemoryBroker`; like Kafka's, it returns nothing for what does not exist."""

    def __init__(self, broker: MemoryBroker, wait_ms: int) -> None:
        self.broker = broker
        self.wait_s = wait_ms / 1000
        self.positions: dict[Partition, int] = {}

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        self.positions = dict(positions)

    def seek(self, partition: Partition, offset: int) -> None:
        self.positions[partition] = offset

    def wait(self, wait_ms: int) -> None:
        self.wait_s = wait_ms / 1000

    async def poll(self, max_records: int) -> list[Record]:
        self.broker.check()
        found = self._read(max_records)
        if not found:
            self.broker.news.clear()
            try:
                async with asyncio.timeout(self.wait_s):
                    await self.broker.news.wait()
            except TimeoutError:
                return []
            found = self._read(max_records)
        return found

    def lag(self) -> int:
        return sum(max(0, len(self._log(p)) - at) for p, at in self.positions.items())

    async def close(self) -> None:
        self.positions = {}

    def _read(self, max_records: int) -> list[Record]:
        found: list[Record] = []
        for partition, at in self.positions.items():
            records = self._log(partition)[at : at + max_records - len(found)]
            found += records
            self.positions[partition] = at + len(records)
        return found

    def _log(self, partition: Partition) -> list[Record]:
        partitions = self.broker.logs.get(partition.topic, [])
        return partitions[partition.number] if partition.number < len(partitions) else []
