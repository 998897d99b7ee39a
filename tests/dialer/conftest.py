"""The dialer on a real PostgreSQL, a migrated database for each test, and its application with plain tokens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.dialer.api.campaigns import campaign_routes
from services.dialer.api.desk import desk_routes
from services.dialer.api.floor import floor_routes
from services.dialer.api.scripts import script_routes
from services.dialer.domain import gate
from services.dialer.domain.operators import Operator
from services.dialer.packloader import load_packs
from services.dialer.usecases.commands import Desk
from services.dialer.usecases.packgate import PackGatekeeper
from services.runtime.clock import SystemClock
from services.runtime.http import build_app
from services.runtime.postgres import Pool, create_pool, migrate
from tests.dialer.http import Client, Poked
from tests.dialer.stages import MemoryStage, PgStage, Stage
from tests.fakes.verifier import PlainVerifier
from tests.peers import Databases

CLOCK = SystemClock()


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


@pytest.fixture
def poked() -> Poked:
    return Poked()


@pytest.fixture(scope="module")
def packs() -> gate.Packs:
    return load_packs([])


@pytest.fixture
def routes(pg_stage: PgStage, poked: Poked, packs: gate.Packs) -> list[Any]:
    store, desk = pg_stage.campaigns, Desk(pg_stage.dialer, CLOCK, poked.poke)
    enrol = partial(enrolled, pg_stage)
    gatekeeper = PackGatekeeper(lambda: packs)
    return [
        campaign_routes(store, gatekeeper.may_ever_call),
        script_routes(store),
        desk_routes(desk, enrol, gatekeeper.zones),
        floor_routes(store, poked.wake),
    ]


async def enrolled(stage: PgStage, operator_id: UUID, name: str) -> Operator:
    return await stage.campaigns.enrol_operator(operator_id, name, "main", CLOCK.now())


@pytest.fixture
async def client(routes: list[Any], pg_stage: PgStage) -> AsyncGenerator[Client]:
    app = build_app("dialer", routes, verifier=PlainVerifier(), clock=CLOCK, pool=pg_stage.pool)
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(TestClient(TestServer(app)))
