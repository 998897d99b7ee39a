"""The dialer on a real PostgreSQL: a migrated database for each test."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from services.runtime.postgres import Pool, create_pool, migrate
from tests.dialer.stages import MemoryStage, PgStage, Stage
from tests.peers import Databases


async def migrate_dialer(url: str) -> None:
    await migrate(url, "dialer", ["services.runtime", "services.dialer"])


@pytest.fixture
async def dialer_url(databases: Databases) -> AsyncGenerator[str]:
    url = await databases.create(migrate_dialer)
    yield url
    await databases.drop(url)


@pytest.fixture
async def pool(dialer_url: str) -> AsyncGenerator[Pool]:
    made = await create_pool(dialer_url, "dialer")
    yield made
    await made.close()


@pytest.fixture
def pg_stage(pool: Pool) -> PgStage:
    return PgStage(pool, asyncio.Event())


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.pg)])
def stage(request: pytest.FixtureRequest) -> Stage:
    """The store's fake, and the real one."""
    if request.param == "memory":
        return MemoryStage()
    return request.getfixturevalue("pg_stage")
