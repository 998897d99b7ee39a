"""One transaction over the CRM's schema."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from services.crm.ports import PhoneDigest
from services.crm.store.audiences import PgAudiences
from services.crm.store.contacts import PgContacts
from services.crm.store.imports import PgImports
from services.crm.store.ledger import PgLedger
from services.crm.store.responses import PgResponses
from services.events.envelope import Event
from services.runtime import outbox
from services.runtime.ids import NewId
from services.runtime.postgres import Connection, Pool, transaction

SOURCE = "crm"


class PgTx:
    """The ports over one connection that is in a transaction."""

    def __init__(self, conn: Connection, digest: PhoneDigest, new_id: NewId) -> None:
        """Work on *conn*; whoever opened its transaction ends it."""
        self._conn = conn
        self._new_id = new_id
        self.contacts = PgContacts(conn, digest)
        self.ledger = PgLedger(conn)
        self.imports = PgImports(conn)
        self.audiences = PgAudiences(conn)
        self.responses = PgResponses(conn)

    async def announce(self, events: Sequence[Event], now: datetime) -> None:
        """Write *events* into the outbox."""
        await outbox.append(self._conn, SOURCE, events, now=now, new_id=self._new_id)


class PgStore:
    """The CRM's tables behind a pool."""

    def __init__(self, pool: Pool, digest: PhoneDigest, new_id: NewId, wake: asyncio.Event | None = None) -> None:
        """Use *pool*; *wake* tells the relay of this process that something may wait in the outbox."""
        self._pool = pool
        self._digest = digest
        self._new_id = new_id
        self._wake = wake

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[PgTx]:
        """Open a transaction that commits on leaving."""
        async with transaction(self._pool, self._wake) as conn:
            yield self.on(conn)

    def on(self, conn: Connection) -> PgTx:
        """Return the ports over a transaction that somebody else opened, such as the consumer."""
        return PgTx(conn, self._digest, self._new_id)
