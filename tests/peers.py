"""The real parts that tests run against: PostgreSQL embedded or Debian's, Tansu or Apache Kafka.

`GALW_TEST_POSTGRES` (`embedded` or `pg15`) and `GALW_TEST_BROKER` (`tansu` or `kafka`) choose, so that the same suites
run on each. Every test process has servers of its own, so xdist workers share nothing; a worker that is killed takes
its servers with it.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from services.standalone.broker import TansuBroker
from services.standalone.children import StandaloneError
from services.standalone.postgres import Install, PostgresServer, embedded_install
from tools.kafka import KafkaBroker

Prepare = Callable[[str], Awaitable[None]]
"""Fills a template database, given its address: usually the migrations of a service."""

_ROOM_BYTES = 2 * 1024**3
_DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
_DROP_TRIES = 50
# A child dies with the thread that started it, and tests restart brokers from threads that end with their event loop.
_LASTING_THREAD = ThreadPoolExecutor(1)


class Databases:
    """Fresh databases on one running server; each costs some tens of milliseconds."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._numbers = count(1)
        self._templates: dict[Prepare, str] = {}

    async def create(self, prepare: Prepare | None = None) -> str:
        """Return the address of a new database, a copy of one that *prepare* has filled (once per server)."""
        template = "template1" if prepare is None else await self._template(prepare)
        return await self._copy(template)

    async def drop(self, url: str) -> None:
        """Remove the database at *url*, cutting off whoever still uses it."""
        for patience in range(_DROP_TRIES, -1, -1):
            try:
                await self._execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')
            except asyncpg.InsufficientPrivilegeError:
                # An autovacuum worker is at it, and only a superuser may end that one; it is soon done.
                if not patience:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def _template(self, prepare: Prepare) -> str:
        if prepare not in self._templates:
            url = await self._copy("template1")
            await prepare(url)
            self._templates[prepare] = url.rpartition("/")[2]
        return self._templates[prepare]

    async def _copy(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.server.url(name)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class RunningBroker:
    """A broker that tests may stop and start; its address stays."""

    def __init__(self, server: TansuBroker | KafkaBroker) -> None:
        self.server = server
        self.start()

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return self.server.bootstrap

    @property
    def keeps_its_log(self) -> bool:
        """Whether records and offsets survive `kill`; those of the embedded broker never do."""
        return isinstance(self.server, KafkaBroker)

    def start(self) -> None:
        """Start the broker and wait until it takes connections."""
        _LASTING_THREAD.submit(self.server.start).result()
        self.server.wait_ready()

    def kill(self) -> None:
        """End the broker as `kill -9` would."""
        self.server.kill()

    def restart(self) -> None:
        """Kill the broker and start it again."""
        self.kill()
        self.start()

    def empty(self) -> None:
        """Forget every topic, so that the next test begins with a broker that looks new."""
        if self.keeps_its_log:
            _LASTING_THREAD.submit(asyncio.run, _delete_all_topics(self.bootstrap)).result()
        else:
            self.restart()


async def _delete_all_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        while names := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(names)
    finally:
        await admin.close()


@contextmanager
def scratch_folder(prefix: str) -> Generator[Path]:
    """Give a folder for a server's files, in memory where there is room: a new database is 300 small files."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_BYTES
    folder = tempfile.mkdtemp(prefix=f"galw-{prefix}-", dir=memory if roomy else None)
    try:
        yield Path(folder)
    finally:
        _remove(folder)


def _remove(folder: str) -> None:
    """Remove a folder in which a server whose parent was killed may still be writing its last words."""
    for _ in range(100):
        try:
            shutil.rmtree(folder)
        except OSError:
            time.sleep(0.1)
        else:
            return
    shutil.rmtree(folder)


@contextmanager
def postgres_server(install: Install) -> Generator[PostgresServer]:
    """Run a PostgreSQL of its own, without fsync: tests kill servers, never the machine."""
    with scratch_folder("postgres") as folder:
        # Before 16, PostgreSQL leaves its folder and comes back by the path, so `nobody` must be able to walk it.
        folder.chmod(0o711)
        server = PostgresServer(folder, install, fsync=False, max_connections=200)
        server.start()
        server.wait_ready()
        try:
            yield server
        finally:
            server.stop()


def debian_postgres_15() -> Install:
    """Return Debian's PostgreSQL 15, or say how to install it."""
    if not (_DEBIAN_15 / "postgres").exists():
        raise StandaloneError("PostgreSQL 15 is not installed; install it with: make postgres15")
    return Install(_DEBIAN_15, 15)


def chosen_postgres() -> Install:
    """Return the PostgreSQL that `GALW_TEST_POSTGRES` names."""
    return {"embedded": embedded_install, "pg15": debian_postgres_15}[
        os.environ.get("GALW_TEST_POSTGRES", "embedded")
    ]()


@contextmanager
def tansu_broker() -> Generator[RunningBroker]:
    """Run an embedded broker of its own."""
    with scratch_folder("tansu") as folder:
        yield from _run(TansuBroker(folder))


@contextmanager
def kafka_broker() -> Generator[RunningBroker]:
    """Run an Apache Kafka node of its own."""
    with scratch_folder("kafka") as folder:
        yield from _run(KafkaBroker(folder))


def _run(server: TansuBroker | KafkaBroker) -> Generator[RunningBroker]:
    try:
        yield RunningBroker(server)
    finally:
        server.stop()


def chosen_broker() -> AbstractContextManager[RunningBroker]:
    """Run the broker that `GALW_TEST_BROKER` names."""
    return {"tansu": tansu_broker, "kafka": kafka_broker}[os.environ.get("GALW_TEST_BROKER", "tansu")]()
