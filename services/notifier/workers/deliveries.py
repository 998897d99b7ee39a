"""The loop that sends webhooks: many at once, few per endpoint, results written down in batches."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter as MetricCounter
from prometheus_client import Gauge, Histogram

from services.notifier.domain.retries import Delivered
from services.notifier.domain.sealing import Seal
from services.notifier.ports import Attempted, DueDelivery, Store, WebhookSender
from services.notifier.usecases.deliveries import attempt, record_attempts
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError
from services.runtime.ids import NewId

_LOG = structlog.get_logger(__name__)
_ATTEMPTS = MetricCounter("notifier_webhook_attempts", "Webhooks sent, by what came of it.", ("outcome",))
_SECONDS = Histogram("notifier_webhook_seconds", "Time from sending a webhook to the end of its answer.")
_IN_HAND = Gauge("notifier_webhooks_in_hand", "Webhooks being sent at present.")


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """How much is sent at once.

    *in_hand* bounds sockets and memory of this process; *per_endpoint* is what one partner is asked to bear and what a
    slow one can take away from others; *lease* outlasts the longest attempt and the writing of its result.
    """

    in_hand: int = 400
    per_endpoint: int = 20
    lease: timedelta = timedelta(seconds=60)
    poll_s: float = 0.25


class DeliveryLoop:
    """Claims due deliveries, sends each in a task of its own, writes results as they come, many in one transaction."""

    def __init__(
        self,
        store: Store,
        sender: WebhookSender,
        seal: Seal,
        clock: Clock,
        new_id: NewId,
        jitter: Callable[[], float],
        limits: DeliveryLimits,
    ) -> None:
        """Send with *sender*; *jitter* returns numbers in [-1, 1]."""
        self._store = store
        self._sender = sender
        self._seal = seal
        self._clock = clock
        self._new_id = new_id
        self._jitter = jitter
        self._limits = limits
        self._busy: Counter[UUID] = Counter()
        # Bounded by the deliveries in hand: each has at most one result that waits here.
        self._ended: asyncio.Queue[Attempted] = asyncio.Queue()
        self._freed = asyncio.Event()

    @property
    def in_hand(self) -> int:
        """Deliveries that are being sent or wait to be written down."""
        return self._busy.total()

    async def run(self) -> None:
        """Send for ever; an outage of PostgreSQL is waited out, and what is in hand is written down after it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._record_for_ever())
            while True:
                claimed = await self._claim()
                for claim, delivery in claimed:
                    group.create_task(self._send(claim, delivery))
                await self._pause(found=bool(claimed))

    async def _claim(self) -> list[tuple[UUID, DueDelivery]]:
        room = self._limits.in_hand - self.in_hand
        if room <= 0:
            return []
        now, claim = self._clock.now(), self._new_id()
        try:
            async with self._store.transaction() as tx:
                due = await tx.deliveries.claim(
                    now, now + self._limits.lease, claim, dict(self._busy), self._limits.per_endpoint, room
                )
        except UnavailableError as error:
            _LOG.warning("webhooks.wait", reason=error.message)
            await self._clock.sleep(error.retry_after_s)
            return []
        self._busy.update(delivery.endpoint_id for delivery in due)
        _IN_HAND.set(self.in_hand)
        return [(claim, delivery) for delivery in due]

    async def _pause(self, *, found: bool) -> None:
        """Wait until something ended, which makes room and may have more behind it; else until the next look."""
        self._freed.clear()
        if found and self.in_hand < self._limits.in_hand:
            await self._clock.sleep(0)
            return
        try:
            async with asyncio.timeout(self._limits.poll_s):
                await self._freed.wait()
        except TimeoutError:
            return

    async def _send(self, claim: UUID, delivery: DueDelivery) -> None:
        started = self._clock.monotonic()
        ended = await attempt(delivery, claim, self._seal, self._sender, self._clock, self._new_id, self._jitter())
        _SECONDS.observe(self._clock.monotonic() - started)
        await self._ended.put(ended)

    async def _record_for_ever(self) -> None:
        while True:
            batch = [await self._ended.get()]
            while not self._ended.empty():
                batch.append(self._ended.get_nowait())
            await self._record(batch)
            self._busy.subtract(one.delivery.endpoint_id for one in batch)
            self._busy += Counter()  # forget endpoints with nothing in hand
            _IN_HAND.set(self.in_hand)
            self._freed.set()

    async def _record(self, batch: list[Attempted]) -> None:
        while True:
            try:
                await record_attempts(self._store, batch, self._clock.now())
            except UnavailableError as error:
                # Whatever takes longer than the lease is sent again; a result that comes late changes nothing then.
                _LOG.warning("webhooks.results_wait", results=len(batch), reason=error.message)
                await self._clock.sleep(error.retry_after_s)
                continue
            for one in batch:
                _tell(one)
            return


def _tell(one: Attempted) -> None:
    result = one.answer.result
    outcome = "delivered" if isinstance(one.verdict, Delivered) else (result.failure or "refused")
    _ATTEMPTS.labels(str(outcome)).inc()
    _LOG.info(
        "delivery.attempted",
        event_id=str(one.delivery.event_id),
        endpoint_id=str(one.delivery.endpoint_id),
        attempt=one.delivery.attempts + 1,
        status=result.status,
        failure=result.failure,
        verdict=type(one.verdict).__name__,
        duration_ms=round((one.ended_at - one.started_at).total_seconds() * 1000, 1),
    )
