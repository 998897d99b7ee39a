"""The relay: sends what the outbox holds, in order per key, and remembers what the broker has taken.

A *lane* is one shard of one topic: one partition. Rows are chosen by their state, never by a cursor, because rows of
other keys may commit late with lower numbers. A lane's rows travel as one atomic batch, and the next is sent only when
the broker has answered, so the first appearance of every fact in the log is in order whatever fails in between.
Everything is written on the connection that holds the shards' locks; memory holds one batch per lane, however long an
outage lasts.

Each attempt to send a fact has a number, its *publication*, that only grows; every record tells the publication that
the broker took before it in its lane. A consumer so notices a hole in the log, and what it has seen last confirms
everything before it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import structlog

from services.events.envelope import Envelope, Event
from services.events.topics import TOPICS, Topic
from services.runtime import metrics
from services.runtime.bus import Bus, Outgoing, Partition
from services.runtime.clock import Clock
from services.runtime.epoch import EPOCH_HEADER, Epochs
from services.runtime.errors import UnavailableError
from services.runtime.health import Health
from services.runtime.ids import NewId
from services.runtime.outbox.append import OutboxSignal, shard_of
from services.runtime.shards import Shards
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime")
_LOG = structlog.get_logger(__name__)

POLL_S = 0.1
QUIET_POLL_S = 0.5
"""How often an outbox is looked at in which nothing was found for `QUIET_AFTER_S`: our own commits wake the relay, so
the poll is for those of other instances, and an idle service costs little."""
QUIET_AFTER_S = 5.0
GATHER_S = 0.03
"""Rounds begin this far apart at least: under load each takes many facts, and a lone fact still goes at once."""
LANE_ROWS = 500
LANE_BYTES = 256 * 1024
"""One more payload of at most 256 KiB may follow: a batch stays below the brokers' default of one megabyte."""

_RESET_ROWS = 5_000
_WATERMARK_S = 1.0
_BACK_OFF_S = (0.2, 0.5, 1.0, 2.0)

Watermark = Callable[[int, datetime], Event]
"""Makes the event that says: all that was committed before the instant stands before it in the shard."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One shard of one topic in one spell of ownership under one epoch of the broker."""

    topic: str
    shard: int
    token: int
    epoch: int


@dataclass(slots=True)
class _Batch:
    lane: Lane
    rows: list[Any]
    records: list[Outgoing]
    failure: UnavailableError | None = None


class OutboxRelay:
    """Sends the facts of the shards this instance owns."""

    def __init__(
        self,
        service: str,
        bus: Bus,
        shards: Shards,
        epochs: Epochs,
        clock: Clock,
        new_id: NewId,
        signal: OutboxSignal,
        *,
        watermarks: Mapping[str, Watermark] | None = None,
        topics: Sequence[Topic] = TOPICS,
    ) -> None:
        """Prepare the relay of *service*; *watermarks* makes, by topic, the watermark sent every second."""
        self.service = service
        self.topics = [topic for topic in topics if topic.owner == service or topic.external]
        self._bus = bus
        self._shards = shards
        self._epochs = epochs
        self._clock = clock
        self._new_id = new_id
        self._signal = signal
        self._watermarks = dict(watermarks or {})
        self._watermark_due = clock.monotonic()
        self._last: dict[Lane, int] = {}
        self._seeded = False
        self._held = False
        self._sending = asyncio.Lock()
        self._failure: str | None = None
        self._busy_at = clock.monotonic()

    async def run(self) -> None:
        """Send for ever; an outage only delays."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                async with self._sending:
                    more = not self._held and await self._round()
                failures, self._failure = 0, None
            except UnavailableError as error:
                if failures == 0:
                    _LOG.warning("outbox.unavailable", reason=error.message)
                self._failure = error.message
                await self._clock.sleep(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
                failures += 1
                continue
            if not more:
                await self._wait()
                if (early := began + GATHER_S - self._clock.monotonic()) > 0:
                    await self._clock.sleep(early)

    async def hold(self) -> None:
        """Send nothing more until `release`; returns when what was being sent is resolved."""
        self._held = True
        async with self._sending:
            pass

    def release(self) -> None:
        """Send again."""
        self._held = False

    async def outstanding(self) -> int:
        """Return how many lanes have facts that were sent and are not confirmed by every consumer."""
        async with self._shards.session() as connection:
            return await connection.fetchval(SQL["outbox_outstanding"])

    async def health(self) -> Health:
        """Be ready while the broker takes what is sent."""
        return Health.of("outbox", self._failure and f"Facts wait to be sent: {self._failure}")

    async def _wait(self) -> None:
        quiet = self._clock.monotonic() - self._busy_at > QUIET_AFTER_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET_POLL_S if quiet else POLL_S):
                await self._signal.wait()
        self._signal.clear()

    async def _round(self) -> bool:
        """Send one batch of each lane; tell whether more waits."""
        lanes = {(lane.topic, lane.shard): lane for lane in self._lanes()}
        if not lanes:
            return False
        if not self._seeded:
            await self._seed()
        for lane in lanes.values():
            if lane not in self._last:
                await self._adopt(lane)
        batches, marked_at = await self._load(lanes)
        if any(batch.rows for batch in batches):
            self._busy_at = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            for batch in batches:
                group.create_task(self._send(batch))
        await self._mark([batch for batch in batches if batch.failure is None])
        failures = [batch.failure for batch in batches if batch.failure is not None]
        if failures:
            metrics.PUBLISH_FAILURES.labels(self.service).inc(len(failures))
            raise failures[0]
        if marked_at is not None:
            self._watermark_due = self._clock.monotonic() + _WATERMARK_S
        return any(len(batch.rows) >= LANE_ROWS for batch in batches)

    def _lanes(self) -> list[Lane]:
        lanes = [
            Lane(topic.name, shard, token, epoch)
            for topic in self.topics
            if (epoch := self._epochs.fresh(topic.name)) is not None
            for shard, token in self._shards.tokens.items()
        ]
        # Lanes of earlier spells and epochs are not needed again.
        self._last = {lane: self._last[lane] for lane in lanes if lane in self._last}
        return lanes

    async def _seed(self) -> None:
        """Give every consumer of our topics its row: who has none yet has confirmed nothing."""
        pairs = [(topic.name, consumer) for topic in self.topics for consumer in topic.consumers]
        columns = [[name for name, _ in pairs], [consumer for _, consumer in pairs]]
        async with self._shards.session() as connection:
            await connection.execute(SQL["confirmations_seed"], *columns)
            await connection.execute(SQL["confirmations_prune"], *columns)
        self._seeded = True

    async def _adopt(self, lane: Lane) -> None:
        """Begin *lane*: what an older log may have lost is unsent again before anything new goes out."""
        again = 0
        while True:
            async with self._shards.session() as connection:
                rows = await connection.fetch(SQL["outbox_reset"], lane.topic, lane.shard, lane.epoch, _RESET_ROWS)
                last = await connection.fetchval(SQL["outbox_last"], lane.topic, lane.shard, lane.epoch)
            again += len(rows)
            if len(rows) < _RESET_ROWS:
                break
        self._last[lane] = last
        if again:
            _LOG.info("outbox.repeated", topic=lane.topic, shard=lane.shard, epoch=lane.epoch, facts=again)

    async def _load(self, lanes: Mapping[tuple[str, int], Lane]) -> tuple[list[_Batch], datetime | None]:
        due = bool(self._watermarks) and self._clock.monotonic() >= self._watermark_due
        async with self._shards.session() as connection:
            # Read before the facts: whatever was committed before this instant is then among them.
            at = await connection.fetchval("SELECT clock_timestamp()") if due else None
            rows = await connection.fetch(
                SQL["outbox_unsent"],
                [topic for topic, _ in lanes],
                [shard for _, shard in lanes],
                LANE_ROWS,
                LANE_BYTES,
            )
        batches = {
            key: _Batch(lanes[key], list(group), [])
            for key, group in groupby(rows, key=lambda row: (row["topic"], row["shard"]))
        }
        for batch in batches.values():
            batch.records = _to_records(batch, self._last[batch.lane])
        if at is not None:
            self._add_watermarks(lanes, batches, at)
        return list(batches.values()), at

    def _add_watermarks(
        self, lanes: Mapping[tuple[str, int], Lane], batches: dict[tuple[str, int], _Batch], at: datetime
    ) -> None:
        for key, lane in lanes.items():
            make = self._watermarks.get(lane.topic)
            batch = batches.setdefault(key, _Batch(lane, [], [])) if make else None
            if make is None or batch is None or _is_cut(batch.rows):
                continue  # facts that were committed before the instant are still waiting behind this batch
            event = make(lane.shard, at)
            envelope = Envelope.of(event, id=self._new_id(), source=self.service, time=at)
            headers = _headers(envelope) + _place(lane)
            batch.records.append(Outgoing(str(envelope.key).encode(), envelope.payload, headers))

    async def _send(self, batch: _Batch) -> None:
        lane = batch.lane
        try:
            await self._bus.publish(Partition(lane.topic, lane.shard), batch.records)
        except UnavailableError as error:
            # Kept, not raised: a lane that fails must not cancel what the broker is about to take from another.
            batch.failure = error
            return
        if batch.rows:
            self._last[lane] = batch.rows[-1]["publication"]
            metrics.FACTS_PUBLISHED.labels(self.service, lane.topic).inc(len(batch.rows))

    async def _mark(self, batches: Sequence[_Batch]) -> None:
        # A lane that was given up meanwhile is sent again by its new owner; marking it now could call facts confirmed
        # that this new owner has sent later.
        kept = [b for b in batches if b.rows and self._shards.holds(b.lane.shard, b.lane.token)]
        if not kept:
            return
        sent = [(row["seq"], row["publication"], batch.lane.epoch) for batch in kept for row in batch.rows]
        async with self._shards.session() as connection:
            await connection.execute(SQL["outbox_mark"], *(list(column) for column in zip(*sent, strict=True)))


def _is_cut(rows: Sequence[Any]) -> bool:
    if not rows:
        return False
    return len(rows) >= LANE_ROWS or rows[-1]["bytes_before"] + len(rows[-1]["payload"]) >= LANE_BYTES


def _to_records(batch: _Batch, previous: int) -> list[Outgoing]:
    records: list[Outgoing] = []
    for row in batch.rows:
        assert shard_of(row["key"]) == batch.lane.shard
        envelope = Envelope(
            id=row["id"],
            source=row["source"],
            type=row["type"],
            time=row["time"],
            key=row["key"],
            topic=row["topic"],
            payload=row["payload"],
            traceparent=row["traceparent"],
        )
        chain = (
            ("galw_seq", str(row["seq"]).encode()),
            ("galw_publication", str(row["publication"]).encode()),
            ("galw_previous", str(previous).encode()),
        )
        headers = _headers(envelope) + _place(batch.lane) + chain
        records.append(Outgoing(str(envelope.key).encode(), envelope.payload, headers))
        previous = row["publication"]
    return records


def _headers(envelope: Envelope) -> tuple[tuple[str, bytes], ...]:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", str(envelope.id).encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_time", envelope.time.isoformat().encode()),
        ("content-type", b"application/json"),
    )
    return (*headers, ("traceparent", envelope.traceparent.encode())) if envelope.traceparent else headers


def _place(lane: Lane) -> tuple[tuple[str, bytes], ...]:
    return (("galw_shard", str(lane.shard).encode()), (EPOCH_HEADER, str(lane.epoch).encode()))
