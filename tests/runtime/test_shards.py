import asyncio
from collections.abc import AsyncGenerator, Callable

import asyncpg
import pytest

from services.events.topics import PARTITIONS
from services.runtime.clock import SystemClock
from services.runtime.errors import UnavailableError
from services.runtime.ids import new_id
from services.runtime.postgres import migrate
from services.runtime.shards import Shards
from tests.runtime.waiting import until

pytestmark = pytest.mark.pg


class Running:
    def __init__(self, url: str, schema: str = "crm") -> None:
        self.shards = Shards(url, schema, SystemClock(), new_id)
        self.task = asyncio.get_running_loop().create_task(self.shards.run())

    @property
    def owned(self) -> set[int]:
        return set(self.shards.tokens)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def start(database_url: str) -> AsyncGenerator[Callable[..., Running]]:
    for schema in ("crm", "dialer"):
        await migrate(database_url, schema, ("services.runtime",))
    started: list[Running] = []

    def begin(schema: str = "crm") -> Running:
        started.append(Running(database_url, schema))
        return started[-1]

    yield begin
    for running in started:
        await running.stop()


async def test_one_instance_owns_all_and_two_share_evenly(start: Callable[..., Running]) -> None:
    one = start()
    await until(lambda: len(one.owned) == PARTITIONS)
    assert one.shards.leads
    other_service = start("dialer")
    await until(lambda: len(other_service.owned) == PARTITIONS)
    two = start()
    await until(lambda: len(one.owned) == len(two.owned) == PARTITIONS // 2)
    assert one.owned | two.owned == set(range(PARTITIONS))
    assert one.shards.leads is not two.shards.leads
    await two.stop()
    await until(lambda: len(one.owned) == PARTITIONS)


async def test_a_lost_connection_loses_every_shard_and_another_instance_takes_them(
    start: Callable[..., Running], database_url: str
) -> None:
    one = start()
    await until(lambda: len(one.owned) == PARTITIONS)
    tokens = one.shards.tokens
    admin = await asyncpg.connect(database_url)
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%shards'")
    await admin.close()
    with pytest.raises(UnavailableError):
        async with one.shards.session() as connection:
            await connection.fetchval("SELECT 1")
    assert one.owned == set()
    await until(lambda: len(one.owned) == PARTITIONS)
    assert not any(one.shards.holds(shard, token) for shard, token in tokens.items())


async def test_leaving_waits_for_a_statement_in_hand(start: Callable[..., Running]) -> None:
    one = start()
    await until(lambda: len(one.owned) == PARTITIONS)

    async def work() -> int:
        async with one.shards.session() as connection:
            await connection.fetchval("SELECT pg_sleep(0.3)")
            return await connection.fetchval("SELECT 7")

    async with asyncio.TaskGroup() as group:
        working = group.create_task(work())
        await asyncio.sleep(0.1)
        group.create_task(one.stop())
    assert working.result() == 7
    assert one.owned == set()
