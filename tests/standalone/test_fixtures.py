"""The fixtures themselves: what the rest of the suites rely on."""

import socket

import asyncpg
import pytest

from tests.conftest import StrayConnectionError
from tests.peers import Databases, RunningBroker


async def _with_a_table(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE prepared (id int)")
    await connection.close()


@pytest.mark.pg
async def test_a_database_is_a_copy_of_its_template_and_belongs_to_one_test(databases: Databases) -> None:
    first, second = await databases.create(_with_a_table), await databases.create(_with_a_table)
    assert first != second
    connection = await asyncpg.connect(first)
    await connection.execute("INSERT INTO prepared VALUES (1)")
    other = await asyncpg.connect(second)
    assert await other.fetchval("SELECT count(*) FROM prepared") == 0
    await connection.close()
    await databases.drop(first)
    await databases.drop(second)  # although somebody is still connected
    other.terminate()


@pytest.mark.pg
async def test_an_empty_database_has_no_tables(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


@pytest.mark.broker
def test_a_restarted_broker_keeps_its_address(broker: RunningBroker) -> None:
    address = broker.bootstrap
    broker.restart()
    assert broker.bootstrap == address


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443), ("2001:db8::1", 80)])
def test_a_test_cannot_talk_beyond_this_machine(address: tuple[str, int]) -> None:
    with pytest.raises(StrayConnectionError):
        socket.create_connection(address, timeout=0.1)
