"""The bus on aiokafka, with a remedy for each of its traps that was measured.

- Every wait is bounded: aiokafka itself may wait for ever for a broker that is away.
- The producer is idempotent where the broker allows it (Tansu does not). After any error it is closed and made anew:
  an idempotent one may otherwise repeat a sequence error for ever.
- Never `latest`, never `end_offsets`: Tansu answers them wrongly.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownError, UnknownTopicOrPartitionError, for_code

from services.runtime.bus import Outgoing, Partition, Record
from services.runtime.errors import UnavailableError

T = TypeVar("T")

REQUEST_TIMEOUT_S = 8.0
BATCH_BYTES = 1024 * 1024
"""The brokers' default for the largest batch; the relay stays below half of it."""

_TOPIC_EXISTS = 36
_UNKNOWN_TOPIC = 3


class KafkaBus:
    """Producer, admin client and readers of one service; each connects when first needed."""

    def __init__(self, bootstrap: str, client_id: str, *, replicas: int = 1) -> None:
        """Remember where the brokers are; *replicas* is for topics that are created."""
        self.volatile = False
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._replicas = replicas
        self._producer: Any = None
        self._admin: Any = None
        self._idempotent = True
        # Several partitions are written at once; only one of them may open or replace the producer.
        self._opening = asyncio.Lock()

    async def connect(self) -> None:
        """Connect the producer, which tells what kind of broker this is; raises `UnavailableError`."""
        await self._open_producer()

    async def publish(self, partition: Partition, records: Sequence[Outgoing]) -> int:
        """Write *records* as one batch; see `Bus.publish`."""
        producer = await self._open_producer()
        try:
            return await bounded(_publish(producer, partition, records))
        except UnavailableError:
            await self._drop_producer(producer)
            raise

    async def topics(self) -> Mapping[str, int]:
        """Return the topics that exist, with their numbers of partitions."""
        await self._open_producer()  # only a producer that connects tells whether the broker is volatile
        # Asking for all topics is the only metadata request by which Tansu makes none.
        cluster = await self._ask(lambda admin: admin._client.fetch_all_metadata())
        return {name: len(cluster.partitions_for_topic(name) or ()) for name in cluster.topics()}

    async def create_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """Make a topic; False when there is one of that name."""
        topic = NewTopic(name, partitions, self._replicas, topic_configs=dict(config))
        answer = await self._ask(lambda admin: admin.create_topics([topic]))
        return self._outcome(answer.topic_errors, _TOPIC_EXISTS)

    async def delete_topic(self, name: str) -> None:
        """Delete a topic with its log; no error when there is none."""
        answer = await self._ask(lambda admin: admin.delete_topics([name]))
        self._outcome(answer.topic_error_codes, _UNKNOWN_TOPIC)

    def reader(self, wait_ms: int) -> "KafkaReader":
        """Return a reader whose polls wait up to *wait_ms* for news."""
        return KafkaReader(self._bootstrap, self._client_id, wait_ms)

    async def close(self) -> None:
        """Close producer and admin client; readers are closed by whoever asked for them."""
        if self._producer is not None:
            await self._drop_producer(self._producer)
        await self._drop_admin()

    async def _open_producer(self) -> Any:
        async with self._opening:
            if self._producer is None:
                self._producer = await self._start_producer()
            return self._producer

    async def _start_producer(self) -> Any:
        producer = self._make_producer(idempotent=self._idempotent)
        try:
            await bounded(producer.start())
        except UnavailableError as error:
            await _close(producer.stop())
            if not isinstance(error.__cause__, UnknownError) or not self._idempotent:
                raise
        else:
            return producer
        # Tansu's answer to a producer that wants to be idempotent: this broker is in memory, for one machine.
        self._idempotent, self.volatile = False, True
        return await self._start_producer()

    def _make_producer(self, *, idempotent: bool) -> Any:
        return AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=idempotent,
            max_batch_size=BATCH_BYTES,
            max_request_size=4 * BATCH_BYTES,
            request_timeout_ms=int(REQUEST_TIMEOUT_S * 500),
            metadata_max_age_ms=60_000,
        )

    async def _drop_producer(self, producer: Any) -> None:
        async with self._opening:
            if producer is self._producer:
                self._producer = None
                await _close(producer.stop())

    async def _ask(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        if self._admin is None:
            admin: Any = AIOKafkaAdminClient(
                bootstrap_servers=self._bootstrap, client_id=self._client_id, request_timeout_ms=5_000
            )
            try:
                await bounded(admin.start())
            except UnavailableError:
                await _close(admin.close())
                raise
            self._admin = admin
        try:
            return await bounded(question(self._admin))
        except UnavailableError:
            await self._drop_admin()
            raise

    async def _drop_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await _close(admin.close())

    def _outcome(self, errors: Sequence[Sequence[Any]], harmless: int) -> bool:
        code = int(errors[0][1])
        if code == 0:
            return True
        if code == harmless:
            return False
        raise UnavailableError(f"Kafka refused to change a topic ({for_code(code).__name__}).")


class KafkaReader:
    """One aiokafka consumer without a group."""

    def __init__(self, bootstrap: str, client_id: str, wait_ms: int) -> None:
        """Remember where to connect; *wait_ms* is how long a fetch waits at the broker when there is nothing new."""
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._wait_ms = wait_ms
        self._consumer: Any = None

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read exactly these partitions from now on."""
        try:
            if self._consumer is None:
                self._consumer = await self._start()
            self._consumer.assign([TopicPartition(*partition) for partition in positions])
            for partition, offset in positions.items():
                self.seek(partition, offset)
        except KafkaError as error:
            await self.close()
            raise _unavailable(error) from error

    def seek(self, partition: Partition, offset: int) -> None:
        """Go on reading *partition* at *offset*."""
        self._consumer.seek(TopicPartition(*partition), offset)

    async def poll(self, max_records: int) -> list[Record]:
        """Return up to *max_records*; see `Reader.poll`."""
        try:
            found = await bounded(self._consumer.getmany(timeout_ms=self._wait_ms, max_records=max_records))
        except UnavailableError:
            await self.close()
            raise
        return [_to_record(record) for records in found.values() for record in records]

    def wait(self, wait_ms: int) -> None:
        """Let polls, and the fetches behind them, wait up to *wait_ms* from now on."""
        self._wait_ms = wait_ms
        if self._consumer is not None:
            self._consumer._fetcher._fetch_max_wait_ms = wait_ms

    def lag(self) -> int:
        """Return how many records are not read yet, as far as the broker told."""
        if self._consumer is None:
            return 0
        state = self._consumer._subscription.subscription
        if state is None or state.assignment is None:
            return 0
        partitions = [state.assignment.state_value(tp) for tp in state.assignment.tps]
        return sum(max(0, p.highwater - p._position) for p in partitions if p.highwater and p.has_valid_position)

    async def close(self) -> None:
        """Close the consumer; the next `assign` opens another."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _close(consumer.stop())

    async def _start(self) -> Any:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._wait_ms,
            max_partition_fetch_bytes=BATCH_BYTES,
            fetch_max_bytes=8 * BATCH_BYTES,
            metadata_max_age_ms=60_000,
        )
        try:
            await bounded(consumer.start())
        except UnavailableError:
            await _close(consumer.stop())
            raise
        return consumer


async def bounded(work: Awaitable[T]) -> T:
    """Return what *work* returns, or raise `UnavailableError` when Kafka fails or does not answer in time."""
    try:
        # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes together with the result.
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            return await work
    except (KafkaError, OSError, TimeoutError) as error:
        raise _unavailable(error) from error


async def _publish(producer: Any, partition: Partition, records: Sequence[Outgoing]) -> int:
    batch = producer.create_batch()
    for record in records:
        fits = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
        assert fits is not None, "the caller bounds the bytes of a batch"
    batch.close()
    if partition.number not in await producer.partitions_for(partition.topic):
        # aiokafka would only assert; what it remembers of the topic is from before the topic was made again.
        await producer.client.force_metadata_update()
        raise UnknownTopicOrPartitionError
    written = await producer.send_batch(batch, partition.topic, partition=partition.number)
    return int((await written).offset)


async def _close(stop: Awaitable[None]) -> None:
    # Closing may fail or hang while brokers are away; what matters is that we are done with it.
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(3.0):
            await stop


def _to_record(record: Any) -> Record:
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        produced_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )


def _unavailable(error: BaseException) -> UnavailableError:
    reason = "cannot be reached" if isinstance(error, KafkaConnectionError | OSError) else "does not answer as expected"
    return UnavailableError(f"Kafka {reason} ({type(error).__name__}); trying again will help.")
