"""The owner of a pool on real parts: PostgreSQL, the simulated carrier as a process of its own, operators by
command."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson
import pytest

from services.dialer.domain import operators as rules
from services.dialer.domain.attempts import Attempt
from services.dialer.domain.operators import Operator
from services.dialer.domain.pacing import Pacer
from services.dialer.gateways import AriCarrier
from services.dialer.ports import Fence, PoolView
from services.dialer.store import DialerStore
from services.dialer.store.campaigns import CampaignStore
from services.dialer.usecases import commands
from services.dialer.usecases.wrapup import Closing
from services.dialer.workers.leases import LeaseKeeper
from services.dialer.workers.pool import PoolOwner
from services.runtime import postgres
from services.runtime.clock import SystemClock
from services.runtime.errors import ConflictError
from services.runtime.ids import new_id
from tests.dialer import floor
from tests.dialer.carrier import carrier_process
from tests.fakes.gate import OneRuleGate
from tests.peers import Databases

pytestmark = [pytest.mark.pg, pytest.mark.system]
CLOCK = SystemClock()


class SilentLive:
    """Fits `Live`; keeps what was pushed."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.pushed: list[tuple[UUID, dict[str, Any]]] = []

    async def push(self, user_id: UUID, kind: str, body: dict[str, Any]) -> None:
        """Keep it."""
        self.pushed.append((user_id, body))


@dataclass(slots=True)
class World:
    """What a test holds in its hands."""

    pool: postgres.Pool
    store: DialerStore
    campaigns: CampaignStore
    gate: OneRuleGate
    carrier_url: str
    session: aiohttp.ClientSession
    instance_id: UUID

    def keeper(self, instance_id: UUID | None = None) -> LeaseKeeper:
        """Return an instance of the dialer, not yet running."""

        def make_owner(view: PoolView, fence: Fence) -> PoolOwner:
            return PoolOwner(
                pool=view.pool,
                fence=fence,
                store=self.store,
                carrier=AriCarrier(self.session, self.carrier_url),
                live=SilentLive(),
                gatekeeper=self.gate,
                make_pacer=Pacer,
                clock=CLOCK,
                new_id=new_id,
            )

        return LeaseKeeper(instance_id or self.instance_id, "http://here", self.store, make_owner, CLOCK)

    def desk(self, keeper: LeaseKeeper) -> commands.Desk:
        """Return the desk of an instance, which pokes its own owners."""

        async def poke(operator: Operator | None, attempt: Attempt | None) -> None:
            for owner in keeper.owners.values():
                if operator is not None and operator.pool_id == owner.pool.id:
                    owner.hear_operator(operator)
                if attempt is not None:
                    owner.hear_attempt(attempt)

        return commands.Desk(self.store, CLOCK, poke)

    async def ledger(self) -> list[dict[str, Any]]:
        """Return the carrier's own account."""
        async with self.session.get(f"{self.carrier_url}/ledger") as response:
            return [orjson.loads(line) for line in (await response.read()).splitlines()]

    async def status(self) -> dict[str, Any]:
        """Return the carrier's counts."""
        async with self.session.get(f"{self.carrier_url}/status") as response:
            return await response.json()

    async def rows(self, statement: str) -> list[Any]:
        """Return what a query answers."""
        return await self.pool.fetch(statement)  # pyright: ignore[reportArgumentType]


async def prepare(url: str) -> None:
    await postgres.migrate(url, "dialer", ["services.runtime", "services.dialer"])


@pytest.fixture
async def world(databases: Databases, tmp_path: Path) -> AsyncGenerator[World]:
    url = await databases.create(prepare)
    pool = await postgres.create_pool(url, "dialer")
    wake = asyncio.Event()
    store, campaigns = DialerStore(pool, new_id, wake), CampaignStore(pool, new_id, wake)
    async with aiohttp.ClientSession() as session, carrier_process(tmp_path, speed=5.0) as carrier_url:
        yield World(pool, store, campaigns, OneRuleGate(), carrier_url, session, uuid4())
    await pool.close()
    await databases.drop(url)


@asynccontextmanager
async def running(keeper: LeaseKeeper) -> AsyncGenerator[None]:
    """Run an instance for the length of a block."""
    task = asyncio.get_running_loop().create_task(keeper.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def work(world: World, desk: commands.Desk, operator_id: UUID, stop: asyncio.Event) -> Counter[str]:
    """Be an operator who talks briefly, answers the questions and takes the next call."""
    done: Counter[str] = Counter()
    await world.campaigns.enrol_operator(operator_id, "Op", "main", CLOCK.now())
    await commands.connection(desk, operator_id, world.instance_id)
    while not stop.is_set():
        body = await commands.show(desk, operator_id)
        try:
            done[await act(desk, operator_id, body)] += 1
        except ConflictError:
            done["conflict"] += 1
        await asyncio.sleep(0.02)
    return done


async def act(desk: commands.Desk, operator_id: UUID, body: dict[str, Any]) -> str:
    call = body["call"]
    match body["state"]:
        case "offline" | "paused":
            await commands.command(desk, operator_id, body["version"], rules.MakeReady())
        case "talking" if call["state"] == "connected":
            call_id = UUID(call["call_id"])
            await commands.record_answer(desk, operator_id, call_id, "served", "yes")
            await commands.hang_up(desk, operator_id, call_id, body["version"])
        case "wrap_up":
            closing = Closing(
                "completed", "fine", {"served": "yes", "score": 4}
            )  # the call may end before an answer is in
            await commands.close(desk, operator_id, UUID(call["call_id"]), body["version"], closing)
            return "dispositioned"
        case _:
            return "waited"
    return body["state"]


async def until(condition: Any, limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while not await condition():  # noqa: ASYNC110 - the condition is in other processes
            await asyncio.sleep(0.05)


async def test_a_campaign_is_called_answered_and_dispositioned(world: World) -> None:
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=30)
    keeper = world.keeper()
    desk = world.desk(keeper)
    stop = asyncio.Event()
    async with running(keeper), asyncio.TaskGroup() as tasks:
        operators = [tasks.create_task(work(world, desk, uuid4(), stop)) for _ in range(3)]

        async def enough() -> bool:
            return (await world.status())["rings"] >= 20

        await until(enough)
        await world.campaigns.stop("all", "", CLOCK.now(), None, "test")
        for owner in keeper.owners.values():
            owner.wake()

        async def quiet() -> bool:
            return not await world.rows("SELECT FROM attempts WHERE state <> 'ended'")

        await until(quiet)
        await asyncio.sleep(0.3)
        stop.set()
    lines = await world.ledger()
    rings = Counter(line["channel_id"] for line in lines if line["event"] == "ring")
    assert max(rings.values()) == 1
    attempts = {str(r["id"]): r for r in await world.rows("SELECT * FROM attempts")}
    assert set(rings) <= set(attempts)
    ended = {line["channel_id"]: line for line in lines if line["event"] == "end"}
    met = {i for i, line in ended.items() if line["met"]}
    talked = {i for i, a in attempts.items() if a["outcome"] == "answered"}
    # Who hangs up in the instant between the commit and the bridge was connected and met nobody.
    assert met <= talked
    assert len(met) > len(talked) / 2
    recorded = await world.rows("SELECT * FROM responses WHERE disposition = 'completed'")
    assert {str(r["attempt_id"]) for r in recorded} == talked
    assert all(r["answers"] == {"served": "yes", "score": 4} for r in recorded)
    assert sum(task.result()["dispositioned"] for task in operators) == len(talked)
    facts = Counter(r["type"] for r in await world.rows("SELECT type FROM outbox"))
    assert facts["dialer.call.ended.v1"] == len(attempts)
    assert facts["dialer.response.recorded.v1"] == len(talked)
    assert campaign.version == 2
