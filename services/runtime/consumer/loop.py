"""The consumer of a service: reads the partitions of the shards it owns and applies what it finds, batch by batch.

There are no consumer groups: positions stand in PostgreSQL and move in the transaction of the effects, guarded by where
they stood before, so a process that was overtaken cannot commit. A change of a topic's epoch sends its partitions back
to the start of their new logs; the inbox makes repeats harmless.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from services.events.topics import TOPICS, Topic
from services.runtime import metrics
from services.runtime.bus import Partition, Reader, Record
from services.runtime.clock import Clock
from services.runtime.consumer import failures
from services.runtime.consumer.batch import Applier, HandlerFailedError, Outcome
from services.runtime.consumer.decode import Item, chain_of, decode, epoch_of
from services.runtime.consumer.failures import FailureLimitError
from services.runtime.consumer.handlers import Handlers
from services.runtime.epoch import MARKER_TYPE, Epochs
from services.runtime.errors import UnavailableError
from services.runtime.health import Health
from services.runtime.postgres import Connection, Pool, single, transaction
from services.runtime.shards import Shards
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime")
_LOG = structlog.get_logger(__name__)

BATCH_RECORDS = 500

# A fetch that finds nothing waits so long at the broker. On Tansu, which does not wake it on news, this is the latency
# of a hop, and the shorter it is the more a service costs: so a service to which nothing happens fetches less often.
FETCH_WAIT_MS = 100
RESTING_FETCH_WAIT_MS = 900
_REST_AFTER_S = 3.0
_IDLE_S = 0.1
_RETRY_S = 0.5
_RETRY_KEYS = 20
_RETRY_RECORDS = 200
_STOPPED_S = 15.0
_UNANNOUNCED_S = 30.0
HOLE_PATIENCE_S = 30.0
"""How long a hole in a log waits for the epoch that explains it; an epoch is raised within some ten seconds."""


class OvertakenError(Exception):
    """Another instance reads one of our partitions by now; nothing of the batch was kept."""


@dataclass(slots=True)
class _Reading:
    """A partition being read: where, whether the epoch's marker was passed, and each producer's chain."""

    epoch: int
    next_offset: int
    marked: bool
    chain: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class _Moves:
    """How far one batch takes each partition."""

    items: list[Item] = field(default_factory=list[Item])
    offsets: dict[Partition, int] = field(default_factory=dict[Partition, int])
    chains: dict[tuple[Partition, str], int] = field(default_factory=dict[tuple[Partition, str], int])
    marked: set[Partition] = field(default_factory=set[Partition])
    rewind: set[Partition] = field(default_factory=set[Partition])
    held: bool = False


class Consumer:
    """Applies, once in effect, every event that a service hears."""

    def __init__(
        self,
        pool: Pool,
        reader: Reader,
        service: str,
        handlers: Handlers,
        clock: Clock,
        *,
        shards: Shards,
        epochs: Epochs,
        failures_limit: int = 1000,
        topics: Sequence[Topic] = TOPICS,
    ) -> None:
        """Prepare the consumer of *service*.

        It reads every topic that names the service as a consumer, handlers or not, for its watermark confirms them;
        a handler for any other topic is a mistake (`ValueError`).
        """
        strangers = [topic.name for topic in handlers.topics if service not in topic.consumers]
        if strangers:
            raise ValueError(f"{service} handles events of {strangers[0]} but is not among its consumers")
        self.service = service
        self.topics = {topic.name: topic for topic in topics if service in topic.consumers}
        self._producers = {topic.owner for topic in topics}
        self._pool = pool
        self._reader = reader
        self._handlers = handlers
        self._clock = clock
        self._shards = shards
        self._epochs = epochs
        self._applier = Applier(service, handlers, self.topics.values(), failures_limit)
        self._wanted: Mapping[Partition, tuple[int, int]] | None = None
        self._reading: dict[Partition, _Reading] = {}
        self._stopped: dict[str, tuple[str, float]] = {}
        self._retry_due = clock.monotonic()
        # Why a partition was last read again from its start: a publication, or minus the epoch whose marker was missed.
        self._rewound: dict[Partition, int] = {}
        self._unannounced: dict[tuple[Partition, int], float] = {}
        self._holes: dict[tuple[Partition, int], float] = {}
        self._failure: str | None = None
        self._idle_since: float | None = None
        self._news_at = clock.monotonic()
        self._resting = False

    async def run(self) -> None:
        """Read and apply for ever; an outage only delays."""
        outages = 0
        try:
            while True:
                try:
                    await self._step()
                    outages, self._failure = 0, None
                except OvertakenError:
                    self._wanted = None
                except FailureLimitError as error:
                    self._stop(error)
                except UnavailableError as error:
                    if outages == 0:
                        _LOG.warning("consumer.unavailable", reason=error.message)
                    self._failure, self._wanted = error.message, None
                    delay = min(error.retry_after_s * 0.25 * 2 ** min(outages, 6), 10.0)
                    await self._clock.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
                    outages += 1
        finally:
            await self._reader.close()

    async def health(self) -> Health:
        """Be ready while nothing is stopped and no dependency is away."""
        if self._stopped:
            return Health.of("consumer", " ".join(reason for reason, _ in self._stopped.values()))
        return Health.of("consumer", self._failure and f"Reading waits: {self._failure}")

    def unread(self) -> int:
        """Return how many records of our partitions stand at the broker and are not read yet."""
        return self._reader.lag()

    def idle_for_s(self) -> float:
        """Return for how long nothing new was found in the log, in seconds."""
        return 0.0 if self._idle_since is None else self._clock.monotonic() - self._idle_since

    async def _step(self) -> None:
        wanted = self._want()
        if wanted != self._wanted:
            await self._take(wanted)
        if self._clock.monotonic() >= self._retry_due:
            await self._retry_parked()
            self._retry_due = self._clock.monotonic() + _RETRY_S
        if not self._reading:
            await self._clock.sleep(_IDLE_S)
            return
        resting = self._clock.monotonic() - self._news_at > _REST_AFTER_S
        if resting != self._resting:
            self._resting = resting
            self._reader.wait(RESTING_FETCH_WAIT_MS if resting else FETCH_WAIT_MS)
        records = await self._reader.poll(BATCH_RECORDS)
        metrics.CONSUMER_LAST_POLL.labels(self.service).set(self._clock.now().timestamp())
        metrics.CONSUMER_LAG.labels(self.service).set(self._reader.lag())
        if records:
            self._idle_since = None
            await self._process(records)
        elif self._idle_since is None:
            self._idle_since = self._clock.monotonic()

    def _want(self) -> dict[Partition, tuple[int, int]]:
        """Return what should be read: our shards of every topic with a known epoch, with spell and epoch of each."""
        now = self._clock.monotonic()
        return {
            Partition(name, shard): (token, epoch)
            for name in self.topics
            if (epoch := self._epochs.of(name)) is not None and not self._is_stopped(name, now)
            for shard, token in self._shards.tokens.items()
        }

    def _is_stopped(self, topic: str, now: float) -> bool:
        return topic in self._stopped and now < self._stopped[topic][1]

    async def _take(self, wanted: Mapping[Partition, tuple[int, int]]) -> None:
        """Read *wanted* from where the database says, whatever was read before."""
        columns = ([p.topic for p in wanted], [p.number for p in wanted])
        async with transaction(self._pool) as conn:
            epochs = [epoch for _, epoch in wanted.values()]
            positions = await conn.fetch(SQL["positions_load"], *columns, epochs)
            chains = await conn.fetch(SQL["watermarks_load"], *columns)
        reading = {
            Partition(row["topic"], row["partition"]): _Reading(row["epoch"], row["next_offset"], row["marked"])
            for row in positions
        }
        for row in chains:
            reading[Partition(row["topic"], row["partition"])].chain[row["source"]] = row["publication"]
        # A position of a later epoch than we know belongs to a log that we shall hear of in a moment.
        self._reading = {p: r for p, r in reading.items() if r.epoch == wanted[p][1]}
        await self._reader.assign({partition: r.next_offset for partition, r in self._reading.items()})
        self._wanted = wanted

    async def _process(self, records: Sequence[Record]) -> None:
        moves = self._plan(records)
        with metrics.CONSUMER_BATCH.labels(self.service).time():
            try:
                outcome = await self._commit(moves, one_by_one=False)
            except HandlerFailedError as error:
                _LOG.warning("consumer.one_by_one", records=len(moves.items), reason=type(error.__cause__).__qualname__)
                outcome = await self._commit(moves, one_by_one=True)
        for partition, offset in moves.offsets.items():
            self._reading[partition].next_offset = offset
            self._reading[partition].marked |= partition in moves.marked
        for (partition, source), publication in moves.chains.items():
            self._reading[partition].chain[source] = publication
        if moves.rewind or moves.held:
            self._wanted = None
        if moves.held:
            await self._clock.sleep(_IDLE_S)
        self._tell(moves, outcome)
        if outcome.applied:
            self._news_at = self._clock.monotonic()
        await self._handlers.announce(item.event for item in moves.items if item.event is not None)

    def _plan(self, records: Sequence[Record]) -> _Moves:
        """Decode *records* and tell how far each partition can go on."""
        moves = _Moves()
        blocked: set[Partition] = set()
        for record in records:
            partition = Partition(record.topic, record.partition)
            reading = self._reading.get(partition)
            if reading is None or partition in blocked:
                continue
            if (
                self._is_ahead(record, partition, reading, moves)
                or self._is_elsewhere(record, partition, reading, moves)
                or self._is_gap(record, partition, reading, moves)
            ):
                blocked.add(partition)
                continue
            item = decode(record, self.topics[record.topic], self._handlers, reading.epoch)
            if (epoch_of(record) or 0) > reading.epoch:
                item = Item(record, item.id, dead="sent under an epoch that nobody announced")
            moves.items.append(item)
            moves.offsets[partition] = record.offset + 1
        return moves

    def _is_ahead(self, record: Record, partition: Partition, reading: _Reading, moves: _Moves) -> bool:
        """Tell whether *record* was sent under an epoch that we have not heard of yet; then we wait for it."""
        if (epoch_of(record) or 0) <= reading.epoch:
            return False
        first = self._unannounced.setdefault((partition, record.offset), self._clock.monotonic())
        if self._clock.monotonic() - first > _UNANNOUNCED_S:
            self._unannounced.clear()
            return False  # nobody announced it: forged, and no reason to wait for ever
        moves.held = True
        return True

    def _is_elsewhere(self, record: Record, partition: Partition, reading: _Reading, moves: _Moves) -> bool:
        """Tell whether we stand in the middle of a log whose marker we have not read; then go back to its start once.

        A fetch that was under way when the broker came back empty may still answer from the old log and so move us.
        """
        sent_under = epoch_of(record)
        if reading.marked or partition in moves.marked or (sent_under is not None and sent_under < reading.epoch):
            return False
        is_marker = record.header("ce_type") == MARKER_TYPE
        if not is_marker and self._rewound.get(partition) != -reading.epoch:
            self._rewound[partition] = -reading.epoch
            moves.rewind.add(partition)
            return True
        moves.marked.add(partition)  # or the marker is gone: a durable log that was trimmed
        return False

    def _is_gap(self, record: Record, partition: Partition, reading: _Reading, moves: _Moves) -> bool:
        """Follow the producer's chain; on a hole, go back to the start of the log once, for it may be another log.

        A hole that stays may be a broker that came back empty and was sent to before anybody noticed. To go on would
        confirm what was lost with it, so the record is left for as long as a new epoch may take to be raised.
        """
        chain = chain_of(record)
        if chain is None or chain[0] not in self._producers or epoch_of(record) != reading.epoch:
            return False
        source, publication, previous = chain
        seen = moves.chains.get((partition, source), reading.chain.get(source))
        if seen is not None and seen < previous:
            if self._rewound.get(partition) != publication:
                _LOG.warning("consumer.gap", topic=record.topic, partition=record.partition, source=source)
                self._rewound[partition] = publication
                moves.rewind.add(partition)
                return True
            first = self._holes.setdefault((partition, publication), self._clock.monotonic())
            if self._clock.monotonic() - first < HOLE_PATIENCE_S:
                moves.held = True
                return True
            self._holes.clear()
            # Neither reading again nor a new epoch has closed it: the log was trimmed before we read it.
            metrics.RECORDS_MISSING.labels(self.service).inc()
            _LOG.error("consumer.records_missing", topic=record.topic, source=source, after=seen, before=publication)
        moves.chains[partition, source] = max(publication, seen or 0)
        return False

    async def _commit(self, moves: _Moves, *, one_by_one: bool) -> Outcome:
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            await self._advance(conn, moves)
            return await self._applier.apply(conn, moves.items, now, one_by_one=one_by_one)

    async def _advance(self, conn: Connection, moves: _Moves) -> None:
        """Move positions and watermarks; done first, so that two owners of a partition meet at its row."""
        steps = [
            (p.topic, p.number, r.epoch, r.next_offset, offset, r.marked or p in moves.marked)
            for p, offset in sorted(moves.offsets.items())
            if (r := self._reading[p])
        ]
        if steps:
            rows = await conn.fetch(SQL["positions_advance"], *(list(column) for column in zip(*steps, strict=True)))
            if len(rows) != len(steps):
                raise OvertakenError
        for partition in moves.rewind:
            await conn.execute(SQL["positions_rewind"], partition.topic, partition.number)
        if moves.chains:
            seen = [(p.topic, p.number, source, publication) for (p, source), publication in moves.chains.items()]
            await conn.execute(SQL["watermarks_advance"], *(list(column) for column in zip(*seen, strict=True)))

    def _tell(self, moves: _Moves, outcome: Outcome) -> None:
        count = metrics.RECORDS_CONSUMED
        count.labels(self.service, "applied").inc(outcome.applied)
        count.labels(self.service, "dead").inc(len(outcome.dead))
        count.labels(self.service, "parked").inc(len(outcome.parked))
        for item in moves.items:
            if item.passed is not None:
                count.labels(self.service, item.passed).inc()
        metrics.INBOX_DUPLICATES.labels(self.service).inc(outcome.repeated)
        for item, reason in outcome.dead:
            _LOG.warning("consumer.dead_letter", id=str(item.id), topic=item.record.topic, reason=reason)
        for item, reason in outcome.parked:
            _LOG.error("consumer.parked", id=str(item.id), topic=item.record.topic, reason=reason)
        for topic in {item.record.topic for item in moves.items} & self._stopped.keys():
            del self._stopped[topic]
            _LOG.info("consumer.resumed", topic=topic)

    def _stop(self, error: FailureLimitError) -> None:
        """Read *error*'s topic no more for a while: a bad deploy must not drain it into dead letters."""
        reason = f"Reading {error.topic} stopped: {error}; see `galw dead-letters list --service {self.service}`."
        self._stopped[error.topic] = (reason, self._clock.monotonic() + _STOPPED_S)
        self._wanted = None
        _LOG.error("consumer.stopped", topic=error.topic, reason=str(error))

    async def _retry_parked(self) -> None:
        """Try parked keys that are due, each in order until one of its records fails again."""
        owned = list(self._shards.tokens)
        async with single(self._pool) as conn:
            keys = await conn.fetch(SQL["parked_due"], list(self.topics), owned, self._clock.now(), _RETRY_KEYS)
        for row in keys:
            async with transaction(self._pool) as conn:
                await self._drain(conn, row["topic"], row["key"])

    async def _drain(self, conn: Connection, topic: str, key: bytes) -> None:
        for row in await conn.fetch(SQL["parked_load"], topic, key, _RETRY_RECORDS):
            item = decode(failures.to_record(row), self.topics[topic], self._handlers, epoch=0)
            item = Item(item.record, row["id"], item.event, item.dead, item.passed)
            if item.event is not None:
                result, reason = await self._applier.retry(conn, item)
            else:
                result, reason = ("dead", item.dead) if item.dead else ("skipped", "")
            if result == "parked":
                due_at = failures.next_retry(row["attempts"] + 1, self._clock.now())
                await conn.execute(SQL["parked_delay"], row["seq"], reason, due_at)
                return
            if result == "dead":
                await failures.bury(conn, [(item, reason or "")])
            await conn.execute(SQL["parked_delete"], row["seq"])
            _LOG.info("consumer.unparked", id=str(row["id"]), topic=topic, outcome=result)
