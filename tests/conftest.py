"""Fixtures every suite may use, Hypothesis profiles, and a rule: no test talks beyond this machine.

The profiles: *quick* in `make check`, *fast* in `make test`, *deep* for a night.
"""

import ipaddress
import os
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from services.standalone.postgres import PostgresServer
from tests.peers import Databases, RunningBroker, chosen_broker, chosen_postgres, postgres_server, scratch_folder

settings.register_profile("quick", max_examples=10, deadline=None, derandomize=True, database=None)
settings.register_profile("fast", max_examples=50, deadline=None, derandomize=True, database=None)
settings.register_profile("deep", max_examples=2_000, deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


class StrayConnectionError(Exception):
    """A test tried to talk to something beyond this machine."""


def _refuse_strangers(event: str, args: tuple[object, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    address = args[0] if event == "socket.getaddrinfo" else args[1]
    host = address[0] if isinstance(address, tuple) else address
    if not _is_local(host):
        raise StrayConnectionError(f"{event} to {host!r}: tests may talk to this machine only")


def _is_local(host: object) -> bool:
    if not isinstance(host, str) or host in ("", "localhost") or host.startswith(("/", "\0")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# An audit hook sees every socket of the process, whichever library opens it. It stays for the life of the process.
sys.addaudithook(_refuse_strangers)


@pytest.fixture(autouse=True)
def logs() -> Generator[None]:
    """Logs go the way of the standard library, so that pytest shows them and no test writes to another's stream."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    yield
    structlog.reset_defaults()


@pytest.fixture
def scratch() -> Generator[Path]:
    """A folder for servers that a test starts itself; in memory where there is room."""
    with scratch_folder("test") as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """The worker's own PostgreSQL; a test that kills it starts it again."""
    with postgres_server(chosen_postgres()) as server:
        yield server


@pytest.fixture(scope="session")
def databases(postgres: PostgresServer) -> Databases:
    """Makes fresh databases, empty or as a `prepare` function (migrations) has filled a template."""
    return Databases(postgres)


@pytest.fixture
async def database_url(databases: Databases) -> AsyncGenerator[str]:
    """The address of an empty database that only this test uses."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture(scope="session")
def kept_broker() -> Generator[RunningBroker]:
    """The worker's own broker, with what earlier tests left in it."""
    with chosen_broker() as running:
        yield running


@pytest.fixture
def broker(kept_broker: RunningBroker) -> Generator[RunningBroker]:
    """The worker's own broker, without topics."""
    yield kept_broker
    kept_broker.empty()
