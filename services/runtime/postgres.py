"""PostgreSQL: the pool of a service, its transactions, and errors told in Galw's own kinds.

Each service has one schema; its pool's search path is that schema alone, so statements name tables without it.
Migrations are plain SQL in `<package>/migrations`, numbered, forward only: `0002_pre_x.sql` runs before new code,
`0003_post_x.sql` after it, so that old and new code both work in between.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import asyncpg
import orjson

from services.runtime.errors import RejectedError, UnavailableError
from services.runtime.metrics import PG_POOL_WAIT

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    """A connection, borrowed from a pool or not."""
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Any
    Pool = asyncpg.Pool

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What means "not now": the server is away, full, restarting or has undone us; the same work may succeed later.

`InternalClientError` is a driver that lost its place in the protocol: a server was killed in the middle of an answer,
or a wait was cancelled at the wrong instant. Another connection is all that it needs.
"""


def is_outage(error: BaseException, connection: Connection | None) -> bool:
    """Tell whether *error*, met while *connection* was in use (None: while connecting), is no fault of ours.

    The driver raises `InterfaceError` for a closed connection and for a wrong number of arguments alike.
    """
    if isinstance(error, asyncpg.InterfaceError) or (isinstance(error, OSError) and not _is_network(error)):
        return connection is None or _is_dead(connection)
    return isinstance(error, AWAY)


def _is_dead(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # It broke, and the pool took it back from us already.


def _is_network(error: OSError) -> bool:
    return isinstance(error, ConnectionError | TimeoutError)


STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000


class _Connection(asyncpg.Connection):
    """A connection that is given back to its pool without a round trip: nothing here changes a session's state."""

    def get_reset_query(self) -> str:
        """Return no statement; a transaction that was left open is still rolled back."""
        return ""


async def create_pool(
    url: str,
    schema: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    application_name: str = "galw",
    by_key: bool = False,
) -> Pool:
    """Return a pool whose connections see *schema* only; `jsonb` is plain Python, timestamps are aware UTC.

    *by_key* is for work that finds its rows by indexed keys: a plan that reads a whole table, made while the table was
    small and kept with its statement until the next ANALYZE, would cost more with every row.
    Raises `UnavailableError` when the server cannot be reached.
    """
    plans = {"enable_seqscan": "off"} if by_key else {}
    try:
        return await asyncpg.create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            init=prepare_connection,
            connection_class=_Connection,
            server_settings=session_settings(schema, application_name) | plans,
            timeout=10,
            command_timeout=STATEMENT_TIMEOUT_MS / 1000 + 5,
        )
    except AWAY as error:
        raise unavailable(error) from error


async def connect(url: str, schema: str, application_name: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Return a connection of its own, for session locks; it dies with its process within seconds."""
    try:
        connection = await asyncpg.connect(
            url, server_settings=session_settings(schema, application_name), timeout=5, command_timeout=10
        )
        try:
            await prepare_connection(connection)
        except BaseException:
            connection.terminate()
            raise
    except AWAY as error:
        raise unavailable(error) from error
    return connection


def session_settings(schema: str, application_name: str) -> dict[str, str]:
    """Return the settings of every session: one schema, bounded waits, dead peers noticed in about ten seconds."""
    return {
        "search_path": schema,
        "application_name": application_name,
        "timezone": "UTC",
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": "60000",
        "tcp_keepalives_idle": "4",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        # Statements here are short and always prepared: compiling them costs more than it saves.
        "jit": "off",
    }


async def prepare_connection(connection: Connection) -> None:
    """Read and write `json` and `jsonb` as Python values."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=_encode_json if name == "json" else _encode_jsonb,
            decoder=orjson.loads if name == "json" else _decode_jsonb,
            format="text" if name == "json" else "binary",
        )


def _encode_json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


def _encode_jsonb(value: object) -> bytes:
    # The binary form of jsonb is a version byte, then the text.
    return b"\x01" + orjson.dumps(value, default=str)


def _decode_jsonb(value: bytes) -> object:
    return orjson.loads(value[1:])


def unavailable(error: BaseException) -> UnavailableError:
    """Return *error* as "try again later"; the driver's own words stay out of it, for they may quote values."""
    return UnavailableError(f"PostgreSQL is not available ({type(error).__name__}); trying again will help.")


@asynccontextmanager
async def transaction(pool: Pool, wake: asyncio.Event | None = None) -> AsyncGenerator[Connection]:
    """Yield a connection in a transaction that commits on leaving; *wake* is set after the commit.

    Raises `UnavailableError` for what trying again may cure. A failed commit may have happened: callers repeat safely.
    """
    try:
        with PG_POOL_WAIT.time():
            connection = await pool.acquire(timeout=5)
    except AWAY as error:
        raise unavailable(error) from error
    try:
        async with connection.transaction():
            yield connection
    except AWAY as error:
        _reraise(error, connection)
    finally:
        # One that breaks only now has committed before, or raised already; the pool replaces it either way.
        with suppress(*AWAY):
            await pool.release(connection)
    if wake is not None:
        wake.set()


@asynccontextmanager
async def single(pool: Pool) -> AsyncGenerator[Connection]:
    """Yield a connection for statements that are each a transaction by themselves: a round trip each, and none more."""
    try:
        connection = await pool.acquire(timeout=5)
    except AWAY as error:
        raise unavailable(error) from error
    try:
        yield connection
    except AWAY as error:
        _reraise(error, connection)
    finally:
        with suppress(*AWAY):
            await pool.release(connection)


def _reraise(error: Exception, connection: Connection) -> NoReturn:
    """Raise "try again later" in the place of an outage, and *error* itself when it is a fault of ours."""
    if not is_outage(error, connection):
        raise error
    if isinstance(error, asyncpg.InternalClientError):
        with suppress(asyncpg.InterfaceError):
            connection.terminate()
    raise unavailable(error) from error


Phase = Literal["all", "pre", "post"]


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of one package; *name* is `package/file`, *checksum* guards it against later edits."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return the fingerprint of the text (hex, 64 characters)."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def phase(self) -> Phase:
        """Return `post` for what must wait for the new code, else `pre`."""
        return "post" if re.search(r"/\d+_post_", self.name) else "pre"


def load_migrations(packages: Sequence[str]) -> list[Migration]:
    """Return the migrations of *packages*, package by package, each in the order of its numbers."""
    found: list[Migration] = []
    for package in packages:
        folder = files(package) / "migrations"
        names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
        label = package.removeprefix("services.")
        found += [
            Migration(f"{label}/{name.removesuffix('.sql')}", (folder / name).read_text("utf-8")) for name in names
        ]
    return found


async def migrate(url: str, schema: str, packages: Sequence[str], *, phase: Phase = "all") -> list[str]:
    """Bring *schema* to the state that *packages* describe and return the names of what was applied.

    Every migration is a transaction of its own; instances that start together wait for one another. Refuses, before
    anything is changed, a migration that was edited after it was applied and a database that a newer Galw has
    migrated (`RejectedError`); raises `UnavailableError` when the server is away or a lock is not granted in time.
    """
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings=session_settings(schema, "galw-migrate"))
        try:
            return await _migrate(connection, schema, load_migrations(packages), phase)
        finally:
            await connection.close()
    except AWAY as error:
        raise unavailable(error) from error


async def _migrate(connection: Connection, schema: str, migrations: Sequence[Migration], phase: Phase) -> list[str]:
    # The session lock serialises instances; it ends with the connection, so a crash leaves nothing behind.
    await connection.execute("SET lock_timeout = '60s'")
    await connection.execute("SELECT pg_advisory_lock(hashtext('galw-migrate'), hashtext($1))", schema)
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {row["name"]: row["checksum"] for row in await connection.fetch("SELECT name, checksum FROM migrations")}
    _refuse_surprises(schema, applied, migrations)
    due = [m for m in migrations if m.name not in applied and phase in ("all", m.phase)]
    # A table that busy transactions hold is waited for shortly: a longer wait would queue everybody behind us.
    await connection.execute("SET lock_timeout = '5s'; SET statement_timeout = '15min'")
    for migration in due:
        await _apply(connection, migration)
    return [migration.name for migration in due]


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.text, timeout=900)
        await connection.execute(
            "INSERT INTO migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
        )


def _refuse_surprises(schema: str, applied: dict[str, str], migrations: Sequence[Migration]) -> None:
    known = {migration.name: migration for migration in migrations}
    newer = sorted(applied.keys() - known.keys())
    if newer:
        raise RejectedError(
            f"The schema {schema} was made by a newer Galw (it has {newer[-1]}, which this version does not know): "
            "start that version, or restore a backup from before the upgrade."
        )
    for name in sorted(applied):
        if applied[name] != known[name].checksum:
            raise RejectedError(
                f"The migration {name} was changed after it had been applied to the schema {schema}: "
                "undo the change and add a new migration instead."
            )
