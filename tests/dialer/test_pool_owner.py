"""The owner of a pool on real parts: PostgreSQL, the simulated carrier as a process of its own, operators by
command."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson
import pytest
from prometheus_client import REGISTRY

from services.dialer.domain import operators as rules
from services.dialer.domain.attempts import Attempt
from services.dialer.domain.campaigns import CampaignState, Plan
from services.dialer.domain.caps import AbandonmentLimit, caps_of
from services.dialer.domain.leads import CallStep, MessageStep
from services.dialer.domain.operators import Operator
from services.dialer.domain.pacing import Mode, Pacer
from services.dialer.gateways import AriCarrier
from services.dialer.ports import Fence, PoolView
from services.dialer.store import DialerStore
from services.dialer.store.campaigns import CampaignStore
from services.dialer.store.restored import RestoredStore
from services.dialer.usecases import campaigns as use
from services.dialer.usecases import commands
from services.dialer.usecases.wrapup import Closing
from services.dialer.workers.leases import LeaseKeeper
from services.dialer.workers.pool import PoolOwner
from services.dialer.workers.rings import RingWatch
from services.runtime import postgres
from services.runtime.clock import SystemClock
from services.runtime.errors import ConflictError, RejectedError
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
                catch_up=self.rings().catch_up,
            )

        return LeaseKeeper(instance_id or self.instance_id, "http://here", self.store, make_owner, CLOCK)

    def rings(self) -> RingWatch:
        """Return the comparison of this store with the carrier's own account."""
        return RingWatch(AriCarrier(self.session, self.carrier_url), self.restored, CLOCK)

    @property
    def restored(self) -> RestoredStore:
        """What is held back after a restore."""
        return RestoredStore(self.pool, lambda number: f"digest-{int(number[-3:])}")

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

    async def met(self, call_id: str) -> bool:
        """Tell whether customer and operator hear each other, by the carrier's own account."""
        return any(line["channel_id"] == call_id and line["event"] == "meet" for line in await self.ledger())

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
            # As a person would, the operator speaks when the customer can be heard, and hangs up after that.
            heard = body["state"] != "talking" or await world.met(body["call"]["call_id"])
            done[await act(desk, operator_id, body) if heard else "waited"] += 1
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
            await commands.record_answer(desk, operator_id, call_id, "served", "yes", body["version"])
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


async def until(condition: Any, limit_s: float = 45.0) -> None:
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


# -- one person at a time, programmed at the carrier


@asynccontextmanager
async def working(world: World, keeper: LeaseKeeper | None = None) -> AsyncGenerator[commands.Desk]:
    """Run an instance that owns the pool, and yield its desk."""
    keeper = keeper or world.keeper()
    async with running(keeper):

        async def owns() -> bool:
            return bool(keeper.owners) and next(iter(keeper.owners.values())).why_not_dialing() is None

        await until(owns)
        yield world.desk(keeper)


async def program(world: World, number: int, outcome: str, **times: float) -> None:
    """Say how the person at a number takes the next call, in seconds of the carrier."""
    url = f"{world.carrier_url}/people/{floor.phone_number(number)}"
    async with world.session.post(url, json={"outcome": outcome, **times}) as response:
        assert response.status < 300, await response.text()


async def come(world: World, desk: commands.Desk, *skills: str, ready: bool = True) -> UUID:
    """Let an operator come to work."""
    operator_id = uuid4()
    enrolled = await world.campaigns.enrol_operator(operator_id, "Op", "main", CLOCK.now())
    await world.campaigns.assign_operator(operator_id, enrolled.pool_id, skills)
    await commands.connection(desk, operator_id, world.instance_id)
    if ready:
        await ask(desk, operator_id, rules.MakeReady())
    return operator_id


async def ask(desk: commands.Desk, operator_id: UUID, signal: rules.Signal) -> dict[str, Any]:
    """Do one thing on the state as it is now, and again when it has moved on meanwhile."""
    while True:
        version = (await commands.show(desk, operator_id))["version"]
        try:
            return await commands.command(desk, operator_id, version, signal)
        except ConflictError:
            await asyncio.sleep(0.02)


async def in_state(desk: commands.Desk, operator_id: UUID, state: str) -> dict[str, Any]:
    """Wait until an operator is in a state, and return it."""

    async def reached() -> bool:
        return (await commands.show(desk, operator_id))["state"] == state

    await until(reached)
    return await commands.show(desk, operator_id)


async def answer(desk: commands.Desk, operator_id: UUID, call_id: UUID, value: str) -> None:
    body = await commands.show(desk, operator_id)
    await commands.record_answer(desk, operator_id, call_id, "served", value, body["version"])


async def hang_up(desk: commands.Desk, operator_id: UUID) -> dict[str, Any]:
    """End the operator's call, and return their wrap-up."""
    body = await commands.show(desk, operator_id)
    return await commands.hang_up(desk, operator_id, UUID(body["call"]["call_id"]), body["version"])


async def only_attempt(world: World, state: str) -> Any:
    """Wait until the one attempt is in a state, and return its row."""

    async def reached() -> bool:
        return [row["state"] for row in await world.rows("SELECT state FROM attempts")] == [state]

    await until(reached)
    [row] = await world.rows("SELECT * FROM attempts")
    return row


async def facts(world: World, kind: str) -> list[Any]:
    """Return what was announced of a kind."""
    rows = await world.rows("SELECT type, payload FROM outbox ORDER BY seq")
    return [orjson.loads(row["payload"]) for row in rows if row["type"].startswith(kind)]


def plan(**said: Any) -> Plan:
    fields: dict[str, Any] = {"mode": Mode.PROGRESSIVE, "caller_ids": ("+441632960999",), **said}
    return Plan(**fields)


async def test_the_longest_ready_operator_with_the_skill_takes_the_call_and_the_limit_ends_its_wrap_up(
    world: World,
) -> None:
    await program(world, 0, "answer", ring_s=2.0, talk_s=600.0)
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=0, plan=plan(skill="welsh"))
    async with working(world) as desk:
        unskilled = await come(world, desk)
        longest = await come(world, desk, "welsh")
        newest = await come(world, desk, "welsh")
        await floor.enrol(world.pool, campaign.id, [0], CLOCK.now())
        attempt = await only_attempt(world, "connected")
        assert attempt["operator_id"] == longest
        assert [(await commands.show(desk, one))["state"] for one in (unskilled, newest)] == ["ready", "ready"]
        await answer(desk, longest, attempt["id"], "yes")
        await hang_up(desk, longest)
        await in_state(desk, longest, "ready")
    [recorded] = await facts(world, "dialer.response.recorded")
    assert recorded["disposition"] == "not_dispositioned"
    assert [one["value"] for one in recorded["answers"]] == ["yes"]
    assert [one["result"] for one in await facts(world, "dialer.lead.finished")] == ["reached"]


async def test_who_meets_nobody_hears_the_message_and_is_counted_as_abandoned(world: World) -> None:
    await program(world, 0, "answer", ring_s=4.0, talk_s=600.0, patience_s=600.0)
    await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    async with working(world) as desk:
        operator_id = await come(world, desk)
        await only_attempt(world, "dialing")
        await ask(desk, operator_id, rules.Pause("break"))
        attempt = await only_attempt(world, "ended")
    assert (attempt["outcome"], attempt["abandoned"], attempt["connected_at"]) == ("abandoned", True, None)
    assert (attempt["ended_at"] - attempt["answered_at"]).total_seconds() >= 2
    [ended] = await facts(world, "dialer.call.ended")
    assert (ended["outcome"], ended["talk_s"]) == ("abandoned", 0)
    [lead] = await world.rows("SELECT * FROM leads")
    assert (lead["state"], lead["held_by"], lead["tries"]) == ("waiting", "retry_delay", {"abandoned": 1})
    [end] = [line for line in await world.ledger() if line["event"] == "end"]
    assert (end["met"], end["by"]) == (False, "client")


async def test_a_lost_operators_customer_goes_to_another_with_what_was_recorded(world: World) -> None:
    await program(world, 0, "answer", ring_s=1.0, talk_s=600.0, patience_s=600.0)
    await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    async with working(world) as desk:
        first = await come(world, desk)
        before = await only_attempt(world, "connected")
        await answer(desk, first, before["id"], "no")
        second = await come(world, desk)
        await commands.connection(desk, first, None)
        body = await in_state(desk, second, "talking")
        assert body["call"]["call_id"] == str(before["id"])
        lost = await commands.show(desk, first)
        assert (lost["state"], lost["reason"], lost["call"]) == ("lost", "connection_lost", None)
        wrapping = await hang_up(desk, second)
        closing = Closing("completed", "took over", {"score": 2})
        await commands.close(desk, second, before["id"], wrapping["version"], closing)
        after = await only_attempt(world, "ended")
        await commands.connection(desk, first, world.instance_id)
        assert (await commands.show(desk, first))["reason"] == "technical"
    assert (after["operator_id"], after["connected_at"]) == (second, before["connected_at"])
    [recorded] = await facts(world, "dialer.response.recorded")
    assert recorded["operator_id"] == str(second)
    assert {one["question_id"]: one["value"] for one in recorded["answers"]} == {"served": "no", "score": 2}
    meets = [line["operator"] for line in await world.ledger() if line["event"] == "meet"]
    assert len(set(meets)) == 2


async def test_a_fault_in_one_campaign_leaves_the_others_of_its_pool_their_owner(world: World) -> None:
    now = CLOCK.now()
    campaign = await floor.lay_out(world.campaigns, world.pool, now, leads=3, plan=plan())
    broken = replace(campaign, id=uuid4(), name="Broken", state=CampaignState.DRAFT, version=1, launched_at=None)
    await use.create(world.campaigns, broken, None)
    await use.command(world.campaigns, broken.id, None, "launch", now, None, floor.at_any_hour)
    await floor.enrol(world.pool, broken.id, range(100, 103), now)
    world.gate.fails_for = broken.id
    before = REGISTRY.get_sample_value("dialer_campaign_failures_total") or 0.0
    keeper, stop = world.keeper(), asyncio.Event()
    async with running(keeper):
        working = asyncio.get_running_loop().create_task(work(world, world.desk(keeper), uuid4(), stop))
        called = f"SELECT 1 FROM leads WHERE campaign_id = '{campaign.id}' AND attempts > 0"

        async def all_called() -> bool:
            failures = (REGISTRY.get_sample_value("dialer_campaign_failures_total") or 0.0) - before
            return len(await world.rows(called)) == 3 and failures > 0

        await until(all_called)
        assert [owner.fence.epoch for owner in keeper.owners.values()] == [1]
        stop.set()
        await working
    assert not await world.rows(f"SELECT 1 FROM attempts WHERE campaign_id = '{broken.id}'")


async def test_a_call_keeps_the_script_version_it_was_placed_with_and_its_required_questions(world: World) -> None:
    await program(world, 0, "answer", ring_s=1.0, talk_s=600.0, patience_s=600.0)
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    async with working(world) as desk:
        operator_id = await come(world, desk)
        attempt = await only_attempt(world, "connected")
        assert campaign.script_id is not None
        other = floor.SCRIPT.model_copy(update={"questions": ()})
        await world.campaigns.save_script(campaign.script_id, "Survey", other, CLOCK.now(), None, first=False)
        await world.pool.execute("UPDATE campaigns SET script_version = 2")
        shown = await commands.show_script(desk, operator_id, attempt["id"])
        assert (shown["version"], [question.id for question in shown["script"].questions]) == (1, ["served", "score"])
        wrapping = await hang_up(desk, operator_id)
        with pytest.raises(RejectedError) as refused:
            await commands.close(desk, operator_id, attempt["id"], wrapping["version"], Closing("completed"))
        assert [(one.field, one.problem) for one in refused.value.fields] == [
            ("answers.served", "an answer is required")
        ]
        await commands.close(
            desk, operator_id, attempt["id"], wrapping["version"], Closing("completed", answers={"served": "no"})
        )
    [recorded] = await facts(world, "dialer.response.recorded")
    assert (recorded["script_version"], recorded["disposition"]) == (1, "completed")


async def test_a_call_whose_operator_was_lost_for_good_is_classified_and_its_answers_announced(world: World) -> None:
    await program(world, 0, "answer", ring_s=1.0, talk_s=15.0, patience_s=5.0)
    await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    async with working(world) as desk:
        first = await come(world, desk)
        attempt = await only_attempt(world, "connected")
        await answer(desk, first, attempt["id"], "no")
        await commands.connection(desk, first, None)
        await in_state(desk, first, "lost")
        ended = await only_attempt(world, "ended")
    assert (ended["outcome"], ended["abandoned"]) == ("answered", False)
    [recorded] = await facts(world, "dialer.response.recorded")
    assert (recorded["disposition"], recorded["operator_id"]) == ("not_dispositioned", str(first))
    assert [one["value"] for one in recorded["answers"]] == ["no"]
    [lead] = await world.rows("SELECT state, result FROM leads")
    assert tuple(lead) == ("finished", "reached")


@pytest.mark.parametrize("scope", ["all", "campaign", "trunk"])
async def test_a_stop_ends_what_rings_lets_talks_go_on_and_is_lifted(world: World, scope: str) -> None:
    await program(world, 0, "answer", ring_s=0.5, talk_s=600.0)
    await program(world, 1, "answer", ring_s=100.0)
    await program(world, 2, "answer", ring_s=0.5, talk_s=600.0)
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    target = {"all": "", "campaign": str(campaign.id), "trunk": "main"}[scope]
    async with working(world) as desk:
        talker = await come(world, desk)
        await in_state(desk, talker, "talking")
        other = await come(world, desk)
        await floor.enrol(world.pool, campaign.id, [1], CLOCK.now())

        async def rings() -> bool:
            return bool(await world.rows("SELECT FROM attempts WHERE state = 'dialing'"))

        await until(rings)
        await world.campaigns.stop(scope, target, CLOCK.now(), None, "test")

        async def silent() -> bool:
            return not await world.rows("SELECT FROM attempts WHERE state NOT IN ('connected', 'ended')")

        await until(silent)
        await floor.enrol(world.pool, campaign.id, [2], CLOCK.now())
        await asyncio.sleep(1.5)
        assert (await world.status())["rings"] == 2
        assert (await commands.show(desk, talker))["call"]["state"] == "connected"
        await world.campaigns.lift(scope, target, CLOCK.now(), None, "")
        await in_state(desk, other, "talking")
    rung = [line["number"] for line in await world.ledger() if line["event"] == "ring"]
    assert rung == [floor.phone_number(n) for n in (0, 1, 2)]


async def test_on_a_stale_view_of_consents_talks_go_on_and_nobody_is_dialed(world: World) -> None:
    await program(world, 0, "answer", ring_s=0.5, talk_s=600.0)
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    keeper = world.keeper()
    async with working(world, keeper) as desk:
        talker = await come(world, desk)
        await in_state(desk, talker, "talking")
        await floor.freshen(world.pool, CLOCK.now(), ahead=timedelta(seconds=-6))
        owner = next(iter(keeper.owners.values()))

        async def held_back() -> bool:
            return owner.why_not_dialing() == "the view of consents is older than five seconds"

        await until(held_back)
        other = await come(world, desk)
        await floor.enrol(world.pool, campaign.id, [1], CLOCK.now())
        await asyncio.sleep(1.0)
        assert (await world.status())["rings"] == 1
        assert (await commands.show(desk, talker))["call"]["state"] == "connected"
        await hang_up(desk, talker)
        await floor.freshen(world.pool, CLOCK.now())
        await in_state(desk, other, "talking")


async def test_a_preview_is_dialed_for_the_one_who_accepts_it_also_when_the_campaign_ends_meanwhile(
    world: World,
) -> None:
    await program(world, 0, "answer", ring_s=1.0, talk_s=600.0)
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1, plan=plan(mode=Mode.PREVIEW))
    async with working(world) as desk:
        first, second = await come(world, desk), await come(world, desk)
        await in_state(desk, first, "reserved")
        await ask(desk, first, rules.OfferGone())
        assert (await world.rows("SELECT held_by FROM leads"))[0]["held_by"] == "skipped"
        await world.rows("UPDATE leads SET next_at = now() - interval '1 second'")
        await in_state(desk, second, "reserved")
        await ask(desk, second, rules.OfferAccepted())
        body = await in_state(desk, second, "talking")
        assert (await commands.show(desk, first))["state"] == "ready"
        await use.command(world.campaigns, campaign.id, None, "stop", CLOCK.now(), None, floor.at_any_hour)
        await asyncio.sleep(1.2)
        wrapping = await hang_up(desk, second)
        call_id = UUID(body["call"]["call_id"])
        await commands.close(
            desk, second, call_id, wrapping["version"], Closing("completed", answers={"served": "yes"})
        )
        await only_attempt(world, "ended")
    assert [one["result"] for one in await facts(world, "dialer.lead.finished")] == ["reached"]


async def test_who_was_not_reached_gets_the_campaigns_message(world: World) -> None:
    await program(world, 0, "busy")
    steps = (CallStep(retries={}, max_attempts=1), MessageStep("sms", "missed_you"))
    await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1, plan=plan(cadence=steps))
    async with working(world) as desk:
        await come(world, desk)

        async def asked() -> bool:
            return bool(await facts(world, "notifier.message.requested"))

        await until(asked)
    [request] = await facts(world, "notifier.message.requested")
    assert (request["to"], request["template"], request["channel"]) == (floor.phone_number(0), "missed_you", "sms")
    [row] = await world.rows("SELECT topic FROM outbox WHERE type LIKE 'notifier.%'")
    assert row["topic"] == "notifier.requests.v1"
    assert [one["result"] for one in await facts(world, "dialer.lead.finished")] == ["not_reached"]


async def test_pacing_is_told_the_plans_caps_and_those_of_the_law_with_what_was_counted_before(world: World) -> None:
    world.gate.limits = (AbandonmentLimit(0.05, "month"),)
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=30)
    await world.rows(
        "INSERT INTO answered_hours (campaign_id, hour, answered, abandoned)"
        " SELECT id, date_trunc('hour', now(), 'UTC'), 400, 7 FROM campaigns"
    )
    keeper = world.keeper()
    desk, stop = world.desk(keeper), asyncio.Event()
    async with running(keeper), asyncio.TaskGroup() as tasks:
        tasks.create_task(work(world, desk, uuid4(), stop))

        async def told() -> dict[tuple[float, float, float], float]:
            state = await world.store.load_pacing(campaign.pool_id) or {"budgets": []}
            return {
                (row["cap"][1], row["cap"][3][1], row["cap"][3][2]): row["answered"]
                for row in state["budgets"]
                if row["cap"][1] == 0.05
            }

        await until(told)
        laws = await told()
        stop.set()
    expected = caps_of(campaign, world.gate.limits, "Europe/London", CLOCK.now())
    assert set(laws) == {(0.05, cap.window.seconds, cap.window.anchor) for cap in expected if cap.rate == 0.05}
    assert all(400 <= answered <= 430 for answered in laws.values())


async def test_a_pool_is_handed_over_in_the_middle_of_a_call(world: World) -> None:
    await program(world, 0, "answer", ring_s=0.5, talk_s=600.0)
    await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    old, new = world.keeper(), world.keeper(uuid4())
    async with working(world, old) as desk:
        operator_id = await come(world, desk)
        body = await in_state(desk, operator_id, "talking")
    # The block's end hands over as a deploy does: the old instance gives the pool back and is gone.
    async with working(world, new) as desk:
        call_id = UUID(body["call"]["call_id"])
        await commands.connection(desk, operator_id, new.instance_id)
        await answer(desk, operator_id, call_id, "yes")
        wrapping = await hang_up(desk, operator_id)
        await commands.close(desk, operator_id, call_id, wrapping["version"], Closing("completed"))
        attempt = await only_attempt(world, "ended")
    assert attempt["outcome"] == "answered"
    lines = [line["event"] for line in await world.ledger()]
    assert (lines.count("ring"), lines.count("meet"), lines.count("end")) == (1, 1, 1)


async def test_the_line_to_the_carrier_and_the_way_to_a_dial_are_told_in_figures(world: World) -> None:
    def value(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0.0

    names = ("ari_ws_connected", "ari_resync_total", "dialer_originate_seconds_count")
    before = {name: value(name) for name in names}
    await program(world, 0, "busy")
    await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    async with working(world) as desk:
        await come(world, desk)
        await only_attempt(world, "ended")
        assert {name: value(name) - before[name] for name in names} == dict.fromkeys(names, 1.0)
        assert -1.0 < value("ari_event_lag_seconds") < 30.0
    assert value("ari_ws_connected") == before["ari_ws_connected"]


async def test_after_a_restore_nobody_is_called_again_who_was_called_since(world: World) -> None:
    for n in (0, 1):
        await program(world, n, "busy")
    campaign = await floor.lay_out(world.campaigns, world.pool, CLOCK.now(), leads=1)
    async with working(world) as desk:
        await come(world, desk)
        await only_attempt(world, "ended")
    [ring] = [line for line in await world.ledger() if line["event"] == "ring" and "leg" not in line["channel_id"]]
    # As a database saved before the call has it: the lead still waits, nothing rang, the ledger was read up to there.
    await world.pool.execute("DELETE FROM attempts")
    await world.pool.execute("UPDATE leads SET state = 'waiting', attempts = 0, tries = '{}', held_by = NULL")
    await world.pool.execute("UPDATE leads SET next_at = now() - interval '1 minute', stream = 1")
    await world.pool.execute("UPDATE ledger_reading SET position = 0")
    async with working(world):
        # Somebody whom the same number belongs to is enrolled later, and somebody else.
        await until(lambda: _held(world, 1))
        await floor.enrol(world.pool, campaign.id, [0, 1], CLOCK.now())
        await until(lambda: _rang(world, floor.phone_number(1)))
    assert [line["channel_id"] for line in await _rings_to(world, floor.phone_number(0))] == [ring["channel_id"]]
    found = await world.restored.restored()
    assert (found["calls"], found["campaigns"]) == (1, [{"campaign_id": campaign.id, "name": "Survey", "leads": 2}])
    assert await world.restored.release(None, None) == 2
    await world.rings().catch_up()
    assert await world.restored.restored() == {"calls": 0, "first_at": None, "last_at": None, "campaigns": []}


async def _held(world: World, leads: int) -> bool:
    return len(await world.rows("SELECT FROM leads WHERE held_by = 'restored'")) == leads


async def _rang(world: World, number: str) -> bool:
    return bool(await _rings_to(world, number))


async def _rings_to(world: World, number: str) -> list[dict[str, Any]]:
    return [line for line in await world.ledger() if line["event"] == "ring" and line["number"] == number]
