"""Which instance of a service relays and reads which shard: session locks in PostgreSQL, shared out fairly.

A shard of the outbox and a partition of each topic that is heard are owned together. A dead process loses its locks
with its connection, so its shards move within seconds; an instance that joins takes its share as others let go.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from services.events.topics import PARTITIONS
from services.runtime import metrics
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError
from services.runtime.health import Health
from services.runtime.ids import NewId
from services.runtime.postgres import AWAY, Connection, connect, is_outage, unavailable
from services.runtime.sql import load_sql

if TYPE_CHECKING:
    import asyncpg

SQL = load_sql("services.runtime")
_LOG = structlog.get_logger(__name__)

BEAT_S = 1.0


class Shards:
    """The shards that this instance owns right now."""

    def __init__(self, url: str, schema: str, clock: Clock, new_id: NewId) -> None:
        """Prepare an instance of the service whose schema is *schema*; nothing is owned before `run`."""
        self.schema = schema
        self.instance_id = new_id()
        self._url = url
        self._clock = clock
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._using = asyncio.Lock()
        self._tokens: dict[int, int] = {}
        self._next_token = itertools.count(1)

    @property
    def tokens(self) -> Mapping[int, int]:
        """Return the owned shards, each with the token of this spell of ownership; a later spell has another."""
        return dict(self._tokens)

    @property
    def leads(self) -> bool:
        """Tell whether this instance does what only one instance of the service does: it owns the first shard."""
        return 0 in self._tokens

    def holds(self, shard: int, token: int) -> bool:
        """Tell whether *shard* is still owned in the spell of *token*."""
        return self._tokens.get(shard) == token

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Connection]:
        """Yield the connection that holds the locks: what is written on it is written while they are held.

        Raises `UnavailableError` when there is none; statements only, never waits for anything else inside.
        """
        async with self._using:
            if self._connection is None:
                raise UnavailableError("This instance holds no shard: PostgreSQL is not connected.")
            try:
                yield self._connection
            except AWAY as error:
                if not is_outage(error, self._connection):
                    raise
                self._lose()
                raise unavailable(error) from error

    async def run(self) -> None:
        """Take and keep a fair share for ever, through outages of PostgreSQL."""
        try:
            while True:
                try:
                    await self._beat()
                except UnavailableError as error:
                    _LOG.warning("shards.unavailable", reason=error.message)
                await self._clock.sleep(BEAT_S)
        finally:
            await self._leave()

    async def health(self) -> Health:
        """Be ready while connected; owning nothing is fine when others own everything."""
        return Health.of("shards", None if self._connection else "PostgreSQL is not connected.")

    async def _beat(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._lose()
            self._connection = await connect(self._url, self.schema, f"galw-{self.schema}-shards")
        async with self.session() as connection:
            row = await connection.fetchrow(SQL["instance_beat"], self.instance_id)
            assert row is not None
            # Rounded up, so that together the instances may own every shard.
            share = -(-PARTITIONS // row["alive"])
            await self._release(connection, len(self._tokens) - share)
            await self._take(connection, share, first=row["rank"] * share)
        metrics.SHARDS_OWNED.labels(self.schema).set(len(self._tokens))

    async def _release(self, connection: Connection, surplus: int) -> None:
        for shard in sorted(self._tokens, reverse=True)[: max(0, surplus)]:
            # Given up in memory first: whoever was working on the shard sees it before anybody else can take it.
            del self._tokens[shard]
            await connection.fetchval(SQL["shard_unlock"], shard)

    async def _take(self, connection: Connection, share: int, *, first: int) -> None:
        for shard in ((first + step) % PARTITIONS for step in range(PARTITIONS)):
            if len(self._tokens) >= share:
                return
            if shard not in self._tokens and await connection.fetchval(SQL["shard_lock"], shard):
                self._tokens[shard] = next(self._next_token)

    def _lose(self) -> None:
        self._tokens.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _leave(self) -> None:
        # The relay may be in the middle of a statement: two at once on one connection would fail it and the stop.
        with contextlib.suppress(*AWAY):
            async with asyncio.timeout(1), self._using:
                if self._connection is not None:
                    await self._connection.execute(SQL["instance_forget"], self.instance_id)
        self._lose()
