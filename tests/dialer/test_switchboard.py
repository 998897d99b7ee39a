"""What is pushed to an operator reaches the instance that holds their line, also when they were here before."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.dialer.app import Switchboard
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.workers.leases import LeaseKeeper
from services.runtime.clock import SystemClock
from services.runtime.errors import UnavailableError
from services.runtime.http import build_app
from services.runtime.identity import Principal, Role
from services.runtime.live import LiveHub, live_routes, push_routes
from tests.fakes.dialer_store import MemoryDatabase, MemoryDialerStore
from tests.fakes.verifier import PlainVerifier

SECRET = b"s" * 32
ANN = UUID(int=1)
LIVE = "/api/dialer/live"
CLOCK = SystemClock()


async def _nothing(principal: Principal) -> dict[str, Any]:
    return {"name": principal.name}


def serving(hub: LiveHub) -> TestServer:
    verifier = PlainVerifier()
    routes = [live_routes(hub, verifier, _nothing, path=LIVE, roles={Role.OPERATOR}), push_routes(hub, SECRET)]
    app: web.Application = build_app("dialer", routes, verifier=verifier, clock=CLOCK, on_shutdown=[hub.close])
    return TestServer(app)


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer operator:{ANN}"}) as made:
        yield made


async def test_an_operator_who_moved_to_another_instance_is_not_told_here_in_vain(
    session: aiohttp.ClientSession,
) -> None:
    """The ring of the instance they left still takes messages; that must not stop the push to where they are."""
    here, there = uuid4(), uuid4()
    database = MemoryDatabase(now=lambda: datetime(2026, 11, 25, 9, tzinfo=UTC))
    store = MemoryDialerStore(database)
    board = Switchboard(session, SECRET, store, here, CLOCK, arrivals=1)  # pyright: ignore[reportArgumentType] - the part of it that is asked
    board.keeper = LeaseKeeper(here, "", store, lambda view, fence: pytest.fail("no pool"), CLOCK)
    board.hub = LiveHub(CLOCK)
    elsewhere = LiveHub(CLOCK)
    async with serving(board.hub) as left, serving(elsewhere) as other:
        ws = await session.ws_connect(left.make_url(LIVE))
        await ws.receive_json()
        await ws.close()
        ws = await session.ws_connect(other.make_url(LIVE))
        assert (await ws.receive_json())["kind"] == "snapshot"
        board.keeper.instances = {there: str(other.make_url("")).rstrip("/")}
        database.operators[ANN] = Operator(
            ANN, "Ann", uuid4(), OperatorState.READY, database.now(), 3, instance_id=there
        )
        await board.push(ANN, "operator", {"version": 3, "state": "ready"})
        assert (await ws.receive_json(timeout=5))["body"] == {"version": 3, "state": "ready"}
        await ws.close()


class CrowdedStore(MemoryDialerStore):
    """A store with so many connections; whoever finds none free is refused."""

    def __init__(self, database: MemoryDatabase, connections: int) -> None:
        super().__init__(database)
        self._free = connections

    async def load_operator(self, operator_id: UUID) -> Operator:
        if self._free == 0:
            raise UnavailableError("no connection is free")
        self._free -= 1
        await asyncio.sleep(0.001)
        self._free += 1
        return await super().load_operator(operator_id)


async def test_a_whole_floor_that_arrives_at_once_waits_its_turn_and_is_let_in(session: aiohttp.ClientSession) -> None:
    database = MemoryDatabase(now=lambda: datetime(2026, 11, 25, 9, tzinfo=UTC))
    store = CrowdedStore(database, connections=5)
    board = Switchboard(session, SECRET, store, uuid4(), CLOCK, arrivals=5)  # pyright: ignore[reportArgumentType] - as above
    floor = [Principal(uuid4(), frozenset({Role.OPERATOR}), f"Operator {n}") for n in range(50)]

    async def enrol(operator_id: UUID, name: str) -> None:
        made = Operator(operator_id, name, UUID(int=2), OperatorState.OFFLINE, database.now(), 1)
        database.operators.setdefault(operator_id, made)

    async def arrive(principal: Principal) -> dict[str, Any]:
        await board.arrived(principal)
        return await board.snapshot(principal)

    board.enrol = enrol
    screens = await asyncio.gather(*(arrive(one) for one in floor))
    assert [screen["state"] for screen in screens] == ["offline"] * 50
    assert all(operator.instance_id == board.instance_id for operator in database.operators.values())
