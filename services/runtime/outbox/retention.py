"""What becomes of facts that were told: kept for the retention of their topic, personal ones only while needed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from services.events.crm import ConsentChanged, ContactErased
from services.events.topics import PARTITIONS, TOPICS, Topic
from services.runtime import metrics
from services.runtime.clock import Clock
from services.runtime.errors import NotFoundError, UnavailableError
from services.runtime.postgres import Connection, Pool, transaction
from services.runtime.shards import Shards
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime")
_LOG = structlog.get_logger(__name__)

PERSONAL_KEPT = timedelta(hours=24)
TRIM_S = 5.0
_LANE_ROWS = 500
_INBOX_ROWS = 5_000
_REPUBLISH_ROWS = 5_000


class Retention:
    """Deletes, in small batches and on one instance, what outbox and inbox need no longer."""

    def __init__(
        self, service: str, pool: Pool, shards: Shards, clock: Clock, *, topics: Sequence[Topic] = TOPICS
    ) -> None:
        """Prepare the retention of *service*."""
        self.service = service
        self._pool = pool
        self._shards = shards
        self._clock = clock
        self._topics = [topic for topic in topics if topic.owner == service or topic.external]

    async def run(self) -> None:
        """Trim for ever; an outage only delays."""
        while True:
            await self._clock.sleep(TRIM_S)
            if not self._shards.leads:
                self._tell(0, 0.0, 0)  # the instance that leads tells them; stale figures would be added to its own
                continue
            try:
                while await self.trim():
                    await self._clock.sleep(0.05)
            except UnavailableError as error:
                _LOG.debug("retention.unavailable", reason=error.message)

    async def trim(self) -> bool:
        """Delete one small batch of each kind; tell whether more may wait. What was never sent is never deleted."""
        lanes = [(topic, shard) for topic in self._topics for shard in range(PARTITIONS)]
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            facts = await conn.fetchval(
                SQL["outbox_trim"],
                [topic.name for topic, _ in lanes],
                [shard for _, shard in lanes],
                [_confirmed_before(topic, now) for topic, _ in lanes],
                [_sent_before(topic, now) for topic, _ in lanes],
                _LANE_ROWS,
            )
        async with transaction(self._pool) as conn:
            events = await conn.fetchval(SQL["inbox_trim"], now.date(), _INBOX_ROWS)
            gauge = await conn.fetchrow(SQL["outbox_gauge"])
            parked = await conn.fetchval(SQL["parked_count"])
        assert gauge is not None
        self._tell(gauge["waiting"], gauge["oldest_s"], parked)
        return facts >= _LANE_ROWS or events >= _INBOX_ROWS

    def _tell(self, waiting: int, oldest_s: float, parked: int) -> None:
        metrics.OUTBOX_ROWS.labels(self.service, "unsent").set(waiting)
        metrics.OUTBOX_OLDEST_AGE.labels(self.service).set(oldest_s)
        metrics.PARKED_KEYS.labels(self.service).set(parked)


def _confirmed_before(topic: Topic, now: datetime) -> datetime:
    # Personal facts need not be told again, so they go as soon as every consumer has them.
    return now + timedelta(days=1) if topic.personal else now - topic.retention


def _sent_before(topic: Topic, now: datetime) -> datetime:
    # Anything else that is not confirmed stays, however old: somebody has not heard it yet.
    return now - PERSONAL_KEPT if topic.personal else now - timedelta(days=36_500)


async def republish(pool: Pool, topics: Sequence[str], since: datetime) -> int:
    """Send again what was announced on *topics* since the instant; return how many facts. Consumers drop repeats.

    Facts that were deleted after their retention or blanked cannot be told again.
    """
    known = {topic.name for topic in TOPICS}
    for name in topics:
        if name not in known:
            raise NotFoundError(f"There is no topic {name}; the topics are: {', '.join(sorted(known))}.")
    total, after = 0, 0
    while True:
        async with transaction(pool) as conn:
            rows = await conn.fetch(SQL["outbox_republish"], list(topics), since, after, _REPUBLISH_ROWS)
        total += len(rows)
        if len(rows) < _REPUBLISH_ROWS:
            return total
        after = max(row["seq"] for row in rows)


async def forget(conn: Connection, contact_id: UUID) -> None:
    """Take a person out of this schema's outbox, dead letters and parked records, in the caller's transaction.

    Facts that others still have to hear are sent first and emptied then. What says that the person was erased, or wants
    no calls, stays: it names nobody.
    """
    personal = [topic.name for topic in TOPICS if topic.personal]
    kept = [ContactErased.topic.name, ConsentChanged.topic.name]
    await conn.execute(SQL["outbox_drop"], contact_id, personal)
    await conn.execute(SQL["outbox_forget"], contact_id, kept)
    await conn.execute(SQL["dead_letters_forget"], str(contact_id))
    await conn.execute(SQL["parked_forget"], str(contact_id))
