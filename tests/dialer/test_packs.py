"""Packs as data on a real PostgreSQL: in force on every instance without a restart, kept for ever, replayed."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.dialer import packloader
from services.dialer.api.gate import gate_routes
from services.dialer.domain.campaigns import Hours, Plan
from services.dialer.domain.pacing import Mode
from services.dialer.ports import KeptPack
from services.dialer.store import DialerStore
from services.dialer.store.packs import PackStore
from services.dialer.usecases import packs as use
from services.dialer.usecases import replays
from services.dialer.usecases.packgate import PackGatekeeper
from services.dialer.usecases.packs import PackShelf, Shipped, newness
from services.runtime.errors import ConflictError, NotFoundError, RejectedError
from services.runtime.http import build_app
from services.runtime.identity import Role
from services.runtime.ids import new_id
from services.runtime.outbox import OutboxSignal
from services.runtime.postgres import Pool, create_pool, migrate
from tests.crm.conftest import MovedClock, bearer
from tests.fakes.verifier import PlainVerifier
from tests.peers import Databases

pytestmark = pytest.mark.pg

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
EVENING = NOON + timedelta(hours=6, minutes=30)
OWN = """\
schema: rulepack/1
id: own
version: "1"
title: Our own
status: approved
jurisdictions: [US]
rules:
  - id: hours
    text: Nobody is called after six.
    cite: House rule 1
    verified_on: 2026-11-23
    confidence: policy
    hours: {daily: [["09:00", "18:00"]]}
"""
NEWER = OWN.replace('version: "1"', 'version: "2"').replace("18:00", "19:00")


async def prepare(url: str) -> None:
    await migrate(url, "dialer", ["services.runtime", "services.dialer"])


@dataclass(slots=True)
class Two:
    """Two dialers on one database."""

    store: PackStore
    pools: DialerStore
    first: PackShelf
    second: PackShelf
    connections: Pool

    async def put(self, text: str) -> list[str]:
        """Put a pack in force through the first dialer."""
        _, changes = await use.put_pack(self.first, self.store, text, NOON, None)
        return changes


def shipped() -> Shipped:
    packs, texts, numbers = packloader.load_shipped()
    kept = tuple(KeptPack(pack.id, pack.version, texts[pack.id], shipped=True) for pack in packs.values())
    return Shipped(packs, kept, packloader.load_places(), numbers)


SHIPPED = shipped()


@pytest.fixture
async def two(databases: Databases) -> AsyncGenerator[Two]:
    url = await databases.create(prepare)
    pool = await create_pool(url, "dialer", max_size=4)
    store = PackStore(pool, new_id, OutboxSignal())
    shelves = [PackShelf(store, SHIPPED, packloader.parse_text) for _ in range(2)]
    for shelf in shelves:
        await shelf.start(NOON)
    yield Two(store, DialerStore(pool, new_id, OutboxSignal()), shelves[0], shelves[1], pool)
    await pool.close()
    await databases.drop(url)


async def enrol(two: Two, people: int) -> UUID:
    """Make a running campaign with waiting leads in New York."""
    pool_id, campaign_id = uuid4(), uuid4()
    plan = Plan(mode=Mode.PREVIEW, hours=(Hours(start=time(8), end=time(21)),), subject="news").model_dump(mode="json")
    conn = two.connections
    await conn.execute("INSERT INTO pools (id, name) VALUES ($1, 'P')", pool_id)
    await conn.execute(
        "INSERT INTO trunks (id, calls_per_second, channels, countries) VALUES ('main', 100, 100, '{US}')"
    )
    await conn.execute(
        "INSERT INTO campaigns (id, name, state, pool_id, plan, created_at, launched_at)"
        " VALUES ($1, 'C', 'running', $2, $3, now(), now())",
        campaign_id,
        pool_id,
        plan,
    )
    for number in range(people):
        person = uuid4()
        phones = [{"e164": f"+1212555{number:04}", "digest": str(number), "kind": "landline", "country": "US"}]
        await conn.execute("INSERT INTO people (contact_id) VALUES ($1)", person)
        await conn.execute(
            "INSERT INTO leads (id, campaign_id, contact_id, state, person, phones, next_at, enrolled_at)"
            " VALUES ($1, $2, $3, 'waiting', '{}', $4, now(), now())",
            uuid4(),
            campaign_id,
            person,
            phones,
        )
    return campaign_id


async def decided_attempt(two: Two, campaign_id: UUID, at: datetime) -> UUID:
    """Store an attempt with the decision of the packs in force."""
    lead = (await two.store.list_waiting(campaign_id, UUID(int=0), 1))[0]
    campaign = await two.pools.load_campaign(campaign_id)
    (history,) = await two.pools.load_history([lead], at - timedelta(days=1), at)
    verdict = PackGatekeeper(lambda: two.first.packs).judge(campaign, lead, history, at)
    assert verdict.allowed
    attempt_id = uuid4()
    await two.connections.execute(
        "INSERT INTO attempts (id, lead_id, campaign_id, pool_id, contact_id, phone, number_digest, n, mode, trunk,"
        " caller_id, state, epoch, decision, ring_timeout_s, outcome, reserved_at, dial_slot_at, ended_at)"
        " VALUES ($1, $2, $3, $4, $5, '+12125550000', 'd', $8, 'preview', 'main', '', 'ended', 1, $6, 25, 'no_answer',"
        " $7, $7, $7)",
        attempt_id,
        lead.id,
        campaign_id,
        campaign.pool_id,
        lead.contact_id,
        orjson.loads(orjson.dumps(verdict.stored)),
        at,
        at.hour,
    )
    return attempt_id


async def test_a_pack_is_in_force_everywhere_without_a_restart_and_announced(two: Two) -> None:
    assert two.second.find("own") is None
    assert await two.put(OWN) == ["own 1 is new."]
    assert two.first.find("own") is not None
    assert await two.second.refresh()
    assert two.second.find("own") is not None
    assert not await two.second.refresh()

    changes = await two.put(NEWER)
    assert any("18:00" in change and "19:00" in change for change in changes)
    rows = await two.connections.fetch("SELECT type, payload FROM outbox ORDER BY seq")
    assert [r["type"] for r in rows] == ["dialer.pack.changed.v1"] * 2
    told = [(c.id, c.before, c.after) for c in await two.store.list_changes(2**62, 10)]
    assert told == [("own", "1", "2"), ("own", None, "1")]


async def test_a_wrong_pack_is_refused_with_its_line_and_the_old_one_stays(two: Two) -> None:
    await two.put(OWN)
    with pytest.raises(RejectedError) as refused:
        await two.put(NEWER.replace("    cite: House rule 1\n", ""))
    assert [(f.field, "citation" in f.problem) for f in refused.value.fields] == [("text:8", True)]
    pack = two.first.find("own")
    assert pack is not None
    assert pack.version == "1"
    with pytest.raises(RejectedError, match="stays in force"):
        await two.put(NEWER.replace("id: own\n", "id: own\nextends: nothing\n", 1))


async def test_a_version_that_decided_is_never_another_text(two: Two) -> None:
    await two.put(OWN)
    await two.put(OWN)
    with pytest.raises(ConflictError, match="new version"):
        await two.put(OWN.replace("18:00", "20:00"))
    with pytest.raises(ConflictError, match="ships in version"):
        await two.put(next(text.body for text in SHIPPED.texts if text.id == "us-fl"))


async def test_a_newer_version_of_what_ships_takes_its_place_until_it_is_retired(two: Two) -> None:
    text = next(text.body for text in SHIPPED.texts if text.id == "us-fl")
    await two.put(text.replace('version: "2026.2"', 'version: "2026.2.1"'))
    assert {p.id: p.version for p in two.first.packs.in_force}["us-fl"] == "2026.2.1"
    await two.second.refresh()
    back = await use.retire_pack(two.second, two.store, "us-fl", NOON, None)
    assert back is SHIPPED.packs["us-fl"]
    await two.first.refresh()
    assert two.first.find("us-fl") is back
    with pytest.raises(NotFoundError):
        await use.retire_pack(two.first, two.store, "us-fl", NOON, None)
    assert newness("2026.10") > newness("2026.9")


async def test_a_decision_replays_under_the_versions_that_made_it(two: Two) -> None:
    await two.put(OWN)
    campaign_id = await enrol(two, 1)
    attempt_id = await decided_attempt(two, campaign_id, NOON)
    await two.put(NEWER)
    await use.retire_pack(two.first, two.store, "own", NOON, None)

    again = await replays.replay_attempt(two.store, SHIPPED.places, packloader.parse_text, attempt_id)
    assert again.stored["packs"]["own"] == "1"
    assert again.agrees
    await two.connections.execute("UPDATE attempts SET decision = '{}'")
    with pytest.raises(NotFoundError, match="erased"):
        await replays.replay_attempt(two.store, SHIPPED.places, packloader.parse_text, attempt_id)


async def test_a_replay_says_what_another_pack_would_have_changed(two: Two) -> None:
    campaign_id = await enrol(two, 1)
    for at in (NOON, EVENING):
        await decided_attempt(two, campaign_id, at)
    _, packs = await two.first.fitting(OWN)
    found = await replays.replay_since(two.store, packs, NOON, EVENING + timedelta(hours=1), None)
    assert (found.asked, found.differ, found.by_rule) == (2, 1, {"own.hours": 1})
    assert found.examples[0]["would_be"] == "defer"
    unchanged = await replays.replay_since(two.store, two.first.packs, NOON, EVENING + timedelta(hours=1), campaign_id)
    assert (unchanged.asked, unchanged.differ) == (2, 0)


@pytest.fixture
async def client(two: Two) -> AsyncGenerator[TestClient[web.Request, web.Application]]:
    clock = MovedClock()
    clock.at = EVENING
    routes = gate_routes(two.first, two.store, two.pools, packloader.parse_text)
    app = build_app("dialer", [routes], verifier=PlainVerifier(), clock=clock, pool=two.connections)
    async with TestClient(TestServer(app)) as started:
        yield started


async def test_the_gate_and_its_packs_over_http(two: Two, client: TestClient[web.Request, web.Application]) -> None:
    campaign_id = await enrol(two, 3)
    admin, auditor = bearer(Role.ADMIN), bearer(Role.AUDITOR)
    facts: dict[str, Any] = {"number": "+12125550123", "at": "2026-11-24T18:30:00-05:00", "suppressed": False}
    facts |= {"purpose": "informational", "mode": "manual"}

    async def ask(path: str, body: Any, headers: dict[str, str] = auditor) -> tuple[int, Any]:
        answer = await client.post(f"/api/dialer{path}", json=body, headers=headers)
        return answer.status, await answer.json()

    assert (await ask("/gate/explain", facts))[1]["decision"] == "allow"
    status, wrong = await ask("/gate/explain", {**facts, "supressed": True})
    assert (status, wrong["fields"][0]["field"]) == (422, "supressed")
    status, told = await ask("/packs/compare", {"text": OWN, "campaign_id": str(campaign_id)})
    assert (status, told["asked"], told["touched"]) == (200, 3, 3)
    assert (await ask("/packs", {"text": OWN}))[0] == 403
    assert (await ask("/packs", {"text": OWN}, admin))[0] == 201
    assert (await ask("/gate/explain", facts))[1]["decision"] == "defer"
    listed = await (await client.get("/api/dialer/packs", headers=auditor)).json()
    assert {one["id"]: one["shipped"] for one in listed["items"]}["own"] is False
    relied = await (await client.get(f"/api/dialer/campaigns/{campaign_id}/packs", headers=auditor)).json()
    assert {(one["id"], one["status"], one["leads"]) for one in relied["items"]} >= {("own", "approved", 3)}
    assert (await client.delete("/api/dialer/packs/own", headers=admin)).status == 204
    assert (await ask("/gate/explain", facts))[1]["decision"] == "allow"
