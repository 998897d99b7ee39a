"""Why is nobody being called, on a real PostgreSQL: counts by index, samples by lot, over HTTP; and plans that last."""

import json
import random
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.dialer.api.why import Answers, why_routes
from services.dialer.app import PACKAGES, SCHEMA
from services.dialer.domain.campaigns import Campaign, Plan
from services.dialer.domain.obstacles import STEPS, Why, steps_from
from services.dialer.domain.pacing import Mode
from services.dialer.packloader import load_packs
from services.dialer.store.campaigns import SQL, CampaignStore
from services.dialer.store.obstacles import FEW, CountingStore
from services.dialer.usecases.obstacles import Explaining, PackOutlook
from services.runtime import postgres
from services.runtime.http import build_app
from services.runtime.identity import Role
from services.runtime.ids import new_id
from services.runtime.messaging import OutboxSignal
from tests.crm.conftest import bearer
from tests.dialer import floor
from tests.fakes.verifier import PlainVerifier
from tests.peers import Databases
from tests.runtime.http.role_matrix import wrongly_answered
from tests.runtime.identity.conftest import MovedClock

pytestmark = pytest.mark.pg

MORNING = datetime(2026, 11, 25, 8, 40, tzinfo=UTC)
PACKS = load_packs([])


async def _prepare(url: str) -> None:
    await postgres.migrate(url, SCHEMA, PACKAGES)


@dataclass(slots=True)
class Desk:
    """A campaign with its store, and the question."""

    pool: postgres.Pool
    store: CountingStore
    campaign: Campaign
    explaining: Explaining
    held_back_by: str | None = None

    async def ask_owner(self, pool_id: UUID) -> str | None:
        return self.held_back_by

    async def why(self, now: datetime = MORNING) -> Why:
        return await self.explaining.why(self.campaign.id, now)

    async def put_off(self, count: int, held_by: str | None, next_at: datetime, **more: object) -> None:
        """Let *count* of the untouched leads wait."""
        await self.pool.execute(
            "UPDATE leads SET held_by = $2, next_at = $3, state = $4, result = $5, stream = $6, version = 2 "
            "WHERE id IN (SELECT id FROM leads WHERE version = 1 LIMIT $1)",
            count, held_by, next_at, more.get("state", "waiting"), more.get("result"), more.get("stream", 1),
        )  # fmt: skip


@pytest.fixture
async def desk(databases: Databases) -> AsyncGenerator[Desk]:
    url = await databases.create(_prepare)
    pool = await postgres.create_pool(url, SCHEMA, max_size=4, application_name="test")
    try:
        signal = OutboxSignal()
        plan = Plan(mode=Mode.PROGRESSIVE, caller_ids=("+441632960999",), purpose="informational")
        campaigns = CampaignStore(pool, new_id, signal)
        campaign = await floor.lay_out(campaigns, pool, MORNING, leads=60, plan=plan)
        store = CountingStore(pool, new_id, signal)
        made = Desk(pool, store, campaign, cast("Any", None))
        made.explaining = Explaining(store, PackOutlook(lambda: PACKS), made.ask_owner)
        yield made
    finally:
        await pool.close()
        await databases.drop(url)


def told(why: Why) -> dict[str, int]:
    return {one.rule or one.filter: one.leads for one in why.obstacles}


async def test_every_kind_of_waiting_is_counted_and_the_chart_follows_the_hours(desk: Desk) -> None:
    """At 8:40 in London, twenty minutes before the campaign's hours begin, nobody has judged the fresh leads yet."""
    await desk.put_off(10, "gate.hours", datetime(2026, 11, 25, 9, tzinfo=UTC))
    await desk.put_off(5, "retry_delay", MORNING + timedelta(hours=3), stream=2)
    await desk.put_off(2, "message", MORNING - timedelta(hours=1), stream=3)
    await desk.put_off(1, "callback", MORNING + timedelta(days=3), stream=0)
    await desk.put_off(4, "gb.consent", MORNING, state="finished", result="not_reached")
    await desk.put_off(3, None, MORNING, state="busy")
    why = await desk.why()
    assert (why.waiting, why.busy, why.finished, why.due, why.callable, why.estimated) == (53, 3, 4, 35, 0, False)
    assert told(why) == {
        "owner": 0, "operators": 0, "gate.hours": 10 + 35, "retry_delay": 5, "message": 2, "callback": 1,
    }  # fmt: skip
    assert [(one.ruled_out_by, one.leads) for one in why.done] == [("gb.consent", 4)]
    by_hour = {point.at.strftime("%H:%M"): (point.due, point.callable) for point in why.chart}
    assert by_hour["08:40"] == (35, 0)
    assert by_hour["09:00"] == (45, 45)
    assert by_hour["12:00"] == (50, 50)
    assert by_hour["20:30"] == (50, 0)
    assert why.next_change is not None
    assert why.next_change.until == datetime(2026, 11, 25, 9, tzinfo=UTC)


async def test_counts_agree_with_counting_by_hand(desk: Desk) -> None:
    rng = random.Random(4)
    steps = steps_from(MORNING)
    for _ in range(15):
        at = MORNING + timedelta(seconds=rng.randint(-7200, 100_000))
        await desk.put_off(rng.randint(1, 4), rng.choice([None, "cap", "gate.hours"]), at)
    expected: Counter[tuple[str | None, int]] = Counter()
    for row in await desk.pool.fetch("SELECT held_by, next_at FROM leads WHERE state = 'waiting'"):
        step = next((k for k, at in enumerate(steps) if row["next_at"] <= at), STEPS + 1)
        expected[row["held_by"], step] += 1
    found = await desk.store.count_held(desk.campaign.id, MORNING, steps)
    assert {(one.held_by, one.step): one.leads for one in found} == expected


async def test_a_sample_of_many_leads_is_drawn_by_lot_and_only_from_those_asked_for(desk: Desk) -> None:
    await desk.pool.execute("UPDATE leads SET next_at = $1 WHERE ctid < '(0,20)'", MORNING + timedelta(hours=1))
    until = MORNING + timedelta(days=1)
    few = await desk.store.sample_leads(desk.campaign.id, MORNING, until, among=19, limit=5)
    assert len({lead.id for lead in few}) == 5
    # So many more than there are: with some of the pages, what comes is some of the leads.
    sparse = await desk.store.sample_leads(desk.campaign.id, MORNING, until, among=FEW + 1, limit=FEW)
    assert {lead.next_at for lead in [*few, *sparse]} == {MORNING + timedelta(hours=1)}
    assert await desk.store.sample_leads(desk.campaign.id, MORNING, until, among=0, limit=5) == []


async def test_the_ground_tells_lease_lines_trunk_and_pacing(desk: Desk) -> None:
    footing = await desk.store.load_footing(desk.campaign.id)
    assert (footing.owned, footing.lines, footing.pacing) == (False, 0, None)
    assert footing.trunk is not None
    assert (footing.trunk.channels, footing.trunk.channels_used) == (200, 0)
    await desk.pool.execute(
        "UPDATE leases SET owner = gen_random_uuid(), expires_at = clock_timestamp() + interval '1 minute'"
    )
    await desk.pool.execute(
        "INSERT INTO pacing_diary SELECT id, clock_timestamp(), '{}', $1, '{}' FROM pools",
        {str(desk.campaign.id): "2 lines: 2 idle"},
    )
    footing = await desk.store.load_footing(desk.campaign.id)
    assert (footing.owned, footing.pacing) == (True, "2 lines: 2 idle")


async def test_what_the_owner_of_the_pool_says_is_told_from_any_instance(desk: Desk) -> None:
    desk.held_back_by = "the carrier is away"
    assert "carrier" in told(await desk.why())


async def test_over_http_it_is_for_those_who_read_campaigns_and_in_figures_for_the_status_page(desk: Desk) -> None:
    clock = MovedClock()
    clock.at = MORNING
    routes = why_routes(Answers(desk.explaining, clock), with_names=False)
    app = build_app("dialer", [routes], verifier=PlainVerifier(), clock=clock)
    async with TestClient(TestServer(app)) as client:
        path = f"/api/dialer/campaigns/{desk.campaign.id}/why"
        async with client.get(path, headers=bearer(Role.MARKETING)) as answer:
            body = await answer.json()
            assert (answer.status, body["name"], body["waiting"], len(body["chart"])) == (200, "Survey", 60, STEPS + 1)
        async with client.get(f"/api/dialer/status/why/{desk.campaign.id}") as answer:
            public = await answer.json()
            assert (public["name"], public["waiting"]) == (None, 60)
        await desk.pool.execute("UPDATE campaigns SET state = 'finished', version = version + 1")
        clock.move(timedelta(minutes=1))
        for unknown in (desk.campaign.id, uuid4()):
            async with client.get(f"/api/dialer/status/why/{unknown}") as answer:
                assert answer.status == 404
        assert await wrongly_answered(client, routes.all, bearer) == []


# -- plans


async def _plan(pool: postgres.Pool, name: str, *arguments: object) -> str:
    async with pool.acquire() as conn:
        found = await conn.fetchval(f"EXPLAIN (FORMAT JSON) {SQL[name]}", *arguments)  # pyright: ignore[reportArgumentType]
    return json.dumps(found)


@pytest.fixture
async def crowded(desk: Desk) -> Desk:
    """Twenty thousand leads, three quarters of them put off: enough for the planner to care."""
    await desk.pool.execute(
        "WITH people AS (INSERT INTO people (contact_id) SELECT gen_random_uuid() FROM generate_series(1, 20000)"
        " RETURNING contact_id)"
        " INSERT INTO leads (id, campaign_id, contact_id, state, person, phones, next_at, held_by, enrolled_at)"
        " SELECT gen_random_uuid(), $1, contact_id, 'waiting', jsonb_build_object('name', repeat('x', 900)), '[]',"
        " $2::timestamptz + random() * interval '2 days' - interval '12 hours', 'gate.hours', $2 FROM people",
        desk.campaign.id,
        MORNING,
    )
    await desk.pool.execute("ANALYZE leads")
    return desk


async def test_the_next_leads_are_read_in_the_order_of_an_index_and_no_further(crowded: Desk) -> None:
    plan = await _plan(crowded.pool, "lead_list_due", crowded.campaign.id, 1, 0, MORNING, 500)
    assert '"Index Name": "leads_waiting"' in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
    condition = next(part for part in plan.split('"') if "next_at <=" in part)
    for column in ("campaign_id =", "stream =", "priority =", "next_at <="):
        assert column in condition, plan
    priorities = await _plan(crowded.pool, "lead_priorities", crowded.campaign.id, 1)
    assert '"Index Name": "leads_waiting"' in priorities
    assert "Seq Scan" not in priorities


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        ("lead_outlook", (MORNING, MORNING, 1800, STEPS)),
        ("lead_done", ()),
        ("campaign_progress", (MORNING,)),
    ],
)
async def test_counting_leads_reads_an_index_and_no_lead(
    crowded: Desk, statement: str, arguments: tuple[object, ...]
) -> None:
    await crowded.pool.execute("VACUUM ANALYZE leads")
    plan = await _plan(crowded.pool, statement, crowded.campaign.id, *arguments)
    assert "Index Only Scan" in plan
    assert "Seq Scan" not in plan, plan


async def test_every_statement_fits_the_schema(desk: Desk) -> None:
    async with desk.pool.acquire() as conn:
        for name, text in SQL.items():
            assert text.startswith("-- "), name
            await conn.prepare(text)
