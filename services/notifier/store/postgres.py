"""One transaction over the notifier's schema."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from services.events.envelope import Event
from services.notifier.store.consents import PgConsents
from services.notifier.store.deliveries import PgDeliveries
from services.notifier.store.messages import PgMessages
from services.notifier.store.partners import PgPartners
from services.notifier.store.templates import PgTemplates
from services.runtime import outbox
from services.runtime.postgres import Connection, Pool, transaction, unavailable

SOURCE = "notifier"


class PgTx:
    """The ports over one connection that is in a transaction."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*; whoever opened its transaction ends it."""
        self._conn = conn
        self.partners = PgPartners(conn)
        self.deliveries = PgDeliveries(conn)
        self.messages = PgMessages(conn)
        self.consents = PgConsents(conn)
        self.templates = PgTemplates(conn)

    async def append_facts(self, facts: Sequence[tuple[UUID, Event]], now: datetime) -> None:
        """Write facts into the outbox, each under its id."""
        ids = iter([fact_id for fact_id, _ in facts])
        await outbox.append(self._conn, SOURCE, [event for _, event in facts], now=now, new_id=lambda: next(ids))


class PgStore:
    """The notifier's tables behind a pool."""

    def __init__(self, pool: Pool, wake: asyncio.Event | None = None) -> None:
        """Use *pool*; *wake* tells the relay of this process that something may wait in the outbox."""
        self._pool = pool
        self._wake = wake

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[PgTx]:
        """Open a transaction that commits on leaving."""
        try:
            async with transaction(self._pool, self._wake) as conn:
                yield PgTx(conn)
        except asyncpg.InterfaceError as error:
            # The pool takes a dying connection back at once, and then even "are you closed?" is refused.
            if "released back to the pool" in str(error):
                raise unavailable(error) from error
            raise
