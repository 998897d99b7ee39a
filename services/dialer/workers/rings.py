"""Whether this database is as old as the world: every ring at the carrier must have an attempt here.

A database that was restored to an earlier hour does not know the calls made since, and would make them again. But it
knows how far it had read the carrier's ledger of rings; so whoever takes a pool reads on from there before anything is
dialed. Whoever rang under an attempt that is not here is held back in every campaign until a person has decided.
"""

import asyncio

import structlog

from services.dialer import metrics
from services.dialer.ports import CarrierLedger, RingStore
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError

log = structlog.get_logger()

READ_EVERY_S = 15.0
"""How often the ledger is read on while calls are made, so that a start finds little left to read."""


class RingWatch:
    """Reads the carrier's ledger on, for all pools of this instance."""

    def __init__(self, carrier: CarrierLedger, store: RingStore, clock: Clock) -> None:
        """Compare *carrier* with *store*."""
        self._carrier = carrier
        self._store = store
        self._clock = clock
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Read on for ever; an outage only delays."""
        while True:
            await self._clock.sleep(READ_EVERY_S)
            try:
                await self.catch_up()
            except UnavailableError as error:
                log.debug("rings.unavailable", error=error.message)

    async def catch_up(self) -> None:
        """Return when everything in the ledger was compared; raises `UnavailableError`."""
        async with self._reading:
            position = await self._store.ledger_position()
            while True:
                read = await self._carrier.read_rings(position)
                if read is None or (read.begin, read.end) == (position, position):
                    return
                found = await self._store.keep_rings(read.rings, position, read.end)
                position = read.end
                if found.calls:
                    metrics.UNKNOWN_RINGS.inc(found.calls)
                    log.warning("restored.held_back", calls=found.calls, leads=found.leads)
