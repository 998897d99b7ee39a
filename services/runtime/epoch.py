"""The broker epoch: how often the log of a topic has begun anew, so that no position outlives the log it belongs to.

PostgreSQL is the truth, Kafka the news. Each service owns a control topic `galw.<service>.v1`: partition 0 tells the
epoch of each topic it owns and is read from the start about every second; partition 1 carries confirmations. When an
owned topic, or its entry there, is gone, the owner (one instance, it holds the first shard) raises the epoch in its own
schema, makes the topic again, writes a marker into every partition and only then announces the epoch. Relays send on a
topic only while they have read its epoch within the last seconds; every record carries the epoch it was sent under.
Topics must not be made automatically (`auto.create.topics.enable=false`): a missing topic is the alarm.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson
import structlog

from services.events.topics import PARTITIONS, TOPICS, Topic
from services.runtime import metrics
from services.runtime.bus import Bus, Outgoing, Partition, Reader, Record
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError
from services.runtime.health import Health
from services.runtime.shards import Shards
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime")
_LOG = structlog.get_logger(__name__)

CYCLE_S = 1.0
FRESH_S = 3.0
"""How long an epoch that was read may be relied on for sending: a broker that forgot all is noticed within it."""

EPOCHS, CONFIRMATIONS = 0, 1
"""The partitions of a control topic."""

EPOCH_HEADER = "galw_epoch"
MARKER_TYPE = "galw.epoch.v1"
_MARKER_ATTEMPTS = 5
_POLL_RECORDS = 500


def control_topic(service: str) -> str:
    """Return the name of the topic in which *service* tells epochs and confirmations."""
    return f"galw.{service}.v1"


@dataclass(slots=True)
class _Seen:
    epoch: int
    at: float


@dataclass(slots=True)
class Epochs:
    """What this process knows of epochs; *generation* grows whenever one of them changes."""

    clock: Clock
    generation: int = 0
    _seen: dict[str, _Seen] = field(default_factory=dict[str, _Seen])

    def of(self, topic: str) -> int | None:
        """Return the epoch of *topic* as last read, or None when it was never read."""
        seen = self._seen.get(topic)
        return seen.epoch if seen else None

    def fresh(self, topic: str) -> int | None:
        """Return the epoch of *topic* if it was read just now; else nothing may be sent."""
        seen = self._seen.get(topic)
        return seen.epoch if seen and self.clock.monotonic() - seen.at <= FRESH_S else None

    def note(self, topic: str, epoch: int) -> None:
        """Remember that *epoch* of *topic* was read now; a lower one than before is an old record."""
        seen = self._seen.get(topic)
        if seen is None or epoch > seen.epoch:
            self.generation += 1
            _LOG.info("epoch.seen", topic=topic, epoch=epoch)
            self._seen[topic] = _Seen(epoch, self.clock.monotonic())
        elif epoch == seen.epoch:
            seen.at = self.clock.monotonic()


class ConfirmationSink(Protocol):
    """Takes the records of the control topics' second partitions; `runtime.confirmations` has the real one."""

    async def heard(self, records: Sequence[Record]) -> None:
        """Apply *records*; those about other services are ignored."""
        ...


class EpochKeeper:
    """Keeps the epochs of the topics one service owns, and reads those of all others."""

    def __init__(
        self,
        service: str,
        bus: Bus,
        shards: Shards,
        epochs: Epochs,
        clock: Clock,
        confirmations: ConfirmationSink,
        *,
        topics: Sequence[Topic] = TOPICS,
    ) -> None:
        """Prepare the keeper of *service*; *epochs* is filled by `run`."""
        self.service = service
        self._bus = bus
        self._shards = shards
        self._epochs = epochs
        self._clock = clock
        self._confirmations = confirmations
        self._owned = {topic.name: topic for topic in topics if topic.owner == service}
        self._owners = {topic.name: topic.owner for topic in topics}
        self._services = sorted({*self._owners.values(), service})
        # A cycle is one fetch from the start and one that waits at the end of the log: an idle process stays idle.
        self._reader: Reader = bus.reader(int(CYCLE_S * 1000))
        self._assigned: tuple[object, ...] = ()
        self._next_confirmation: dict[Partition, int] = {}
        self._spell: int | None = None
        self._own: dict[str, int] | None = None
        self._heard = False
        self._heard_at = clock.monotonic()
        self._misfit: str | None = None

    async def run(self) -> None:
        """Watch for ever; an outage of broker or database only delays."""
        failing = False
        try:
            while True:
                try:
                    await self._cycle()
                    failing = False
                except UnavailableError as error:
                    if not failing:
                        _LOG.warning("epoch.unavailable", reason=error.message)
                    failing, self._assigned = True, ()
                    # Nothing was heard because nobody could be asked: that is no sign of a lost log.
                    self._heard_at = self._clock.monotonic()
                    await self._clock.sleep(CYCLE_S / 2)
        finally:
            await self._reader.close()

    async def health(self) -> Health:
        """Be ready while our own topics stand on the broker as they should."""
        stale = [name for name in self._owned if self._epochs.fresh(name) is None]
        if not stale or self._misfit:
            return Health.of("broker", self._misfit)
        return Health.of("broker", f"The epoch of {stale[0]} was not read lately: Kafka is away, or the topic is made.")

    async def _cycle(self) -> None:
        present = await self._bus.topics()
        spell = self._shards.tokens.get(0)
        if spell != self._spell:
            self._spell, self._own = spell, None
        if spell is not None:
            await self._keep(present)
        await self._listen([s for s in self._services if present.get(control_topic(s), 0) > CONFIRMATIONS])

    async def _keep(self, present: Mapping[str, int]) -> None:
        """Renew what is lost: a durable broker is believed about its topics, a volatile one must show our entries."""
        if self._own is None:
            async with self._shards.session() as connection:
                self._own = {row["topic"]: row["epoch"] for row in await connection.fetch(SQL["broker_epochs_list"])}
            self._heard_at = self._clock.monotonic()
            self._heard = False
        gone = not self._stands(control_topic(self.service), 2, present)
        silent = self._clock.monotonic() - self._heard_at > (FRESH_S if self._bus.volatile else 10.0)
        if not (gone or silent or self._heard):
            return
        lost = [name for name in self._owned if not self._stands(name, PARTITIONS, present)]
        if gone or (silent and self._bus.volatile):
            # A volatile broker loses everything together, and may have made lookalikes since.
            lost = list(self._owned) if self._bus.volatile else lost
            await self._make(control_topic(self.service), 2, 0, {"cleanup.policy": "compact"})
        if gone or silent:
            await self._announce({name: epoch for name, epoch in self._own.items() if name not in lost})
            self._heard_at = self._clock.monotonic()
        for name, topic in self._owned.items():
            if name in lost or self._own.get(name) is None or self._differs(name):
                await self._renew(topic)

    def _stands(self, name: str, partitions: int, present: Mapping[str, int]) -> bool:
        count = present.get(name)
        if count is not None and count != partitions and not self._bus.volatile:
            self._misfit = (
                f"The topic {name} has {count} partitions, Galw needs {partitions}: delete it or make it again with "
                f"{partitions}, and switch off auto.create.topics.enable on the brokers."
            )
            return True
        return count == partitions

    def _differs(self, name: str) -> bool:
        """Tell whether what was announced is not what stands in our schema: after a restore, or a crash in between."""
        announced = self._epochs.of(name)
        return self._heard and announced is not None and announced != (self._own or {}).get(name)

    async def _renew(self, topic: Topic) -> None:
        assert self._own is not None
        async with self._shards.session() as connection:
            epoch = await connection.fetchval(SQL["broker_epoch_raise"], topic.name, self._epochs.of(topic.name) or 0)
        retention_ms = int(topic.retention.total_seconds() * 1000)
        config = {"cleanup.policy": "delete", "retention.ms": str(retention_ms)}
        await self._make(topic.name, PARTITIONS, epoch, config)
        await self._announce({topic.name: epoch})
        self._own[topic.name] = epoch
        self._epochs.note(topic.name, epoch)
        metrics.BROKER_EPOCHS_RAISED.labels(self.service).inc()
        _LOG.warning("epoch.raised", topic=topic.name, epoch=epoch)

    async def _make(self, name: str, partitions: int, epoch: int, config: Mapping[str, str]) -> None:
        """Make a topic that is lost and write a marker into every partition; what stands on a durable broker stays."""
        if not self._bus.volatile:
            await self._bus.create_topic(name, partitions, config)
            await self._mark(name, partitions, epoch)
            return
        for _ in range(_MARKER_ATTEMPTS):
            # Tansu takes records for topics that do not exist and mixes them with those of the topic made later.
            # Deleting clears them, but only a topic that exists can be deleted. A first offset of zero proves it.
            await self._bus.create_topic(name, partitions, config)
            await self._bus.delete_topic(name)
            with contextlib.suppress(UnavailableError):
                made = await self._bus.create_topic(name, partitions, config)
                if made and not any(await self._mark(name, partitions, epoch)):
                    return
        raise UnavailableError(f"The broker does not give an empty topic {name}.")

    async def _mark(self, name: str, partitions: int, epoch: int) -> list[int]:
        headers = (("ce_type", MARKER_TYPE.encode()), (EPOCH_HEADER, str(epoch).encode()))
        marker = Outgoing(name.encode(), orjson.dumps({"topic": name, "epoch": epoch}), headers)
        return [await self._bus.publish(Partition(name, number), [marker]) for number in range(partitions)]

    async def _announce(self, epochs: Mapping[str, int]) -> None:
        if not epochs:
            return
        entries = [
            Outgoing(name.encode(), orjson.dumps({"topic": name, "epoch": epoch})) for name, epoch in epochs.items()
        ]
        await self._bus.publish(Partition(control_topic(self.service), EPOCHS), entries)

    async def _listen(self, services: Sequence[str]) -> None:
        """Read every epoch anew and the confirmations on from where we were, for one cycle."""
        until = self._clock.monotonic() + CYCLE_S
        await self._rewind(services)
        while (left := until - self._clock.monotonic()) > 0:
            if not services:
                await self._clock.sleep(left)
                return
            records = await self._reader.poll(_POLL_RECORDS)
            for record in records:
                self._note(record)
            confirmations = [record for record in records if record.partition == CONFIRMATIONS]
            for record in confirmations:
                self._next_confirmation[Partition(record.topic, CONFIRMATIONS)] = record.offset + 1
            if confirmations:
                await self._confirmations.heard(confirmations)

    async def _rewind(self, services: Sequence[str]) -> None:
        assignment = (self._epochs.generation, *services)
        if assignment == self._assigned:
            for service in services:
                self._reader.seek(Partition(control_topic(service), EPOCHS), 0)
            return
        if self._assigned[:1] != assignment[:1]:
            # A log began anew somewhere: where we were in the confirmations may mean nothing any more.
            self._next_confirmation.clear()
        positions: dict[Partition, int] = {}
        for service in services:
            positions[Partition(control_topic(service), EPOCHS)] = 0
            confirmations = Partition(control_topic(service), CONFIRMATIONS)
            positions[confirmations] = self._next_confirmation.get(confirmations, 0)
        await self._reader.assign(positions)
        self._assigned = assignment

    def _note(self, record: Record) -> None:
        if record.partition != EPOCHS or record.header("ce_type") == MARKER_TYPE:
            return
        try:
            entry = orjson.loads(record.value or b"")
            topic, epoch = str(entry["topic"]), int(entry["epoch"])
        except (ValueError, TypeError, KeyError):
            _LOG.warning("epoch.unreadable", topic=record.topic, offset=record.offset)
            return
        owner = self._owners.get(topic)
        if owner is None or record.topic != control_topic(owner):
            return  # only the owner says what the epoch of its topic is
        self._epochs.note(topic, epoch)
        if owner == self.service:
            self._heard, self._heard_at = True, self._clock.monotonic()
