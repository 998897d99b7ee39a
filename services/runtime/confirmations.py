"""Confirmations: each service tells what its inbox holds, so that producers know what is safe without reading it.

Once a second, when something changed, a service writes to its control topic how far it has seen the publications of
each producer, per topic; the producer moves its own table forward. Everything is repeated every minute, so a lost
record only delays.
"""

from collections.abc import Iterable, Sequence

import orjson
import structlog

from services.runtime.bus import Bus, Outgoing, Partition, Record
from services.runtime.clock import Clock
from services.runtime.epoch import CONFIRMATIONS, MARKER_TYPE, Epochs, control_topic
from services.runtime.errors import UnavailableError
from services.runtime.postgres import Pool, single, transaction
from services.runtime.shards import Shards
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime")
_LOG = structlog.get_logger(__name__)

_TELL_S = 1.0
_REPEAT_S = 60.0

_Seen = tuple[tuple[int, int], ...]


class Confirmations:
    """Tells what this service has seen of others' facts, and hears what others have seen of its own."""

    def __init__(self, service: str, pool: Pool, bus: Bus, shards: Shards, epochs: Epochs, clock: Clock) -> None:
        """Prepare the confirmations of *service*."""
        self.service = service
        self._pool = pool
        self._bus = bus
        self._shards = shards
        self._epochs = epochs
        self._clock = clock
        self._told: dict[tuple[str, str], _Seen] = {}
        self._told_under: tuple[int, int] | None = None

    async def run(self) -> None:
        """Tell for ever; an outage only delays."""
        while True:
            try:
                await self.tell()
            except UnavailableError as error:
                self._told_under = None
                _LOG.debug("confirmations.unavailable", reason=error.message)
            await self._clock.sleep(_TELL_S)

    async def tell(self) -> None:
        """Write what changed since the last time; everything when a log began anew or a minute has passed."""
        if not self._shards.leads:
            self._told_under = None
            return
        under = (self._epochs.generation, int(self._clock.monotonic() // _REPEAT_S))
        if under != self._told_under:
            self._told.clear()
        async with single(self._pool) as conn:
            rows = await conn.fetch(SQL["watermarks_list"])
        seen: dict[tuple[str, str], _Seen] = {
            (row["topic"], row["source"]): tuple(zip(row["partitions"], row["publications"], strict=True))
            for row in rows
        }
        news = {key: value for key, value in seen.items() if self._told.get(key) != value}
        if news:
            records = [self._record(topic, source, value) for (topic, source), value in news.items()]
            await self._bus.publish(Partition(control_topic(self.service), CONFIRMATIONS), records)
        self._told.update(news)
        self._told_under = under

    async def heard(self, records: Sequence[Record]) -> None:
        """Move our own table forward by what *records* of any service say about our facts."""
        if not self._shards.leads:
            return
        heard = [entry for record in records for entry in self._read(record)]
        if not heard:
            return
        async with transaction(self._pool) as conn:
            await conn.execute(SQL["confirmations_apply"], *(list(column) for column in zip(*heard, strict=True)))
            await conn.execute(SQL["publications_raise"], max(publication for *_, publication in heard))

    def _record(self, topic: str, source: str, seen: _Seen) -> Outgoing:
        value = {"consumer": self.service, "source": source, "topic": topic, "publications": [list(s) for s in seen]}
        return Outgoing(f"{source}/{topic}".encode(), orjson.dumps(value))

    def _read(self, record: Record) -> Iterable[tuple[str, int, str, int]]:
        if record.header("ce_type") == MARKER_TYPE:
            return
        try:
            value = orjson.loads(record.value or b"")
            if value["source"] != self.service or record.topic != control_topic(value["consumer"]):
                return
            for shard, publication in value["publications"]:
                yield str(value["topic"]), int(shard), str(value["consumer"]), int(publication)
        except (ValueError, TypeError, KeyError):
            _LOG.warning("confirmations.unreadable", topic=record.topic, offset=record.offset)
