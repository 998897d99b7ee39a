"""All of a service's messaging put together: outbox, relay, epochs, confirmations and consumer.

A composition root makes one `Messaging`, runs its loops, asks its checks for readiness and sets `signal` (or passes it
to `transaction`) after commits that announced something.
"""

from collections.abc import Mapping

from services.runtime.bus import Bus
from services.runtime.clock import Clock
from services.runtime.confirmations import Confirmations
from services.runtime.consumer import Consumer, Handlers
from services.runtime.consumer.loop import FETCH_WAIT_MS
from services.runtime.consumer.routes import dead_letter_routes
from services.runtime.epoch import EpochKeeper, Epochs
from services.runtime.health import Check
from services.runtime.ids import NewId
from services.runtime.kafka import KafkaBus
from services.runtime.outbox import OutboxRelay, OutboxSignal, Retention, Watermark
from services.runtime.outbox.routes import republish_routes
from services.runtime.postgres import Pool
from services.runtime.recycle import Recycle
from services.runtime.service import Loop
from services.runtime.settings import Settings
from services.runtime.shards import Shards


class Messaging:
    """What one service sends and hears."""

    def __init__(
        self,
        service: str,
        *,
        database_url: str,
        pool: Pool,
        bus: Bus,
        handlers: Handlers,
        clock: Clock,
        new_id: NewId,
        watermarks: Mapping[str, Watermark] | None = None,
        failures_limit: int = 1000,
        control_url: str | None = None,
    ) -> None:
        """Put the parts together; *service* is also the name of its schema. Nothing is opened before the loops run."""
        self.service = service
        self.bus = bus
        self.signal = OutboxSignal()
        self.routes = [dead_letter_routes(service, pool), republish_routes(service, pool, self.signal)]
        """What an administrator asks when something was not heard; for the service's application."""
        self.epochs = Epochs(clock)
        self.shards = Shards(database_url, service, clock, new_id)
        self.confirmations = Confirmations(service, pool, bus, self.shards, self.epochs, clock)
        self.keeper = EpochKeeper(service, bus, self.shards, self.epochs, clock, self.confirmations)
        self.relay = OutboxRelay(
            service, bus, self.shards, self.epochs, clock, new_id, self.signal, watermarks=watermarks
        )
        self.retention = Retention(service, pool, self.shards, clock)
        self.consumer = Consumer(
            pool,
            bus.reader(FETCH_WAIT_MS),
            service,
            handlers,
            clock,
            shards=self.shards,
            epochs=self.epochs,
            failures_limit=failures_limit,
        )
        self.recycle = (
            Recycle(service, control_url, self.relay, self.consumer, self.epochs, clock) if control_url else None
        )

    @property
    def loops(self) -> list[Loop]:
        """Return what must run, in one TaskGroup, as long as the service does."""
        parts = (self.shards, self.keeper, self.relay, self.confirmations, self.retention, self.consumer)
        loops: list[Loop] = [part.run for part in parts]
        return [*loops, self.recycle.run] if self.recycle else loops

    @property
    def checks(self) -> list[Check]:
        """Return what readiness asks."""
        return [self.shards, self.keeper, self.relay, self.consumer]

    async def close(self) -> None:
        """Close the connections to the broker, after the loops have ended."""
        await self.bus.close()


def open_messaging(
    service: str,
    settings: Settings,
    pool: Pool,
    handlers: Handlers,
    clock: Clock,
    new_id: NewId,
    *,
    watermarks: Mapping[str, Watermark] | None = None,
) -> Messaging:
    """Return the messaging of *service* on the Kafka that *settings* name."""
    return Messaging(
        service,
        database_url=settings.database_url.get_secret_value(),
        pool=pool,
        bus=KafkaBus(settings.kafka_bootstrap, f"galw-{service}", replicas=settings.kafka_replicas),
        handlers=handlers,
        clock=clock,
        new_id=new_id,
        watermarks=watermarks,
        failures_limit=settings.consumer_failures_limit,
        control_url=settings.control_url,
    )
