"""Do-not-call lists on a real PostgreSQL: nobody is called before their number was compared, the clean ones after."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.cli.client import CommandError
from services.cli.lists import read_answers
from services.dialer import packloader
from services.dialer.api.lists import MOST, list_routes
from services.dialer.domain.campaigns import Campaign, CampaignState, Hours, Plan
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.domain.pacing import Mode
from services.dialer.ports import KeptPack
from services.dialer.store.packs import PackStore
from services.dialer.store.scrubs import ScrubStore
from services.dialer.usecases.packgate import UNCOMPARED_WAIT, PackGatekeeper
from services.dialer.usecases.packs import PackShelf, Shipped
from services.dialer.usecases.scrubs import LISTS
from services.dialer.workers.hopper import Hopper
from services.runtime.http import build_app
from services.runtime.identity import Role
from services.runtime.ids import new_id
from services.runtime.outbox import OutboxSignal
from services.runtime.phone import E164, phone_digest
from services.runtime.postgres import create_pool, migrate
from tests.crm.conftest import MovedClock, bearer
from tests.dialer.stages import PgStage, Scene
from tests.fakes.verifier import PlainVerifier
from tests.peers import Databases

pytestmark = pytest.mark.pg

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
KEY = b"key of the numbers"
NEEDED = ("us_national_dnc", "us_state_dnc")


def digest(number: E164) -> str:
    return phone_digest(KEY, number)


async def prepare(url: str) -> None:
    await migrate(url, "dialer", ["services.runtime", "services.dialer"])


@dataclass(slots=True)
class Floor:
    """A marketing campaign in New York, and the routes that bring lists."""

    scene: Scene
    hopper: Hopper
    client: TestClient[web.Request, web.Application]

    async def bring(self, name: str, numbers: dict[str, bool], version_on: str = "2026-11-20") -> tuple[int, Any]:
        """Bring answers over HTTP; return the status and what was said."""
        body = {"version_on": version_on, "numbers": [{"number": n, "listed": b} for n, b in numbers.items()]}
        answer = await self.client.post(f"/api/dialer/lists/{name}/scrubs", json=body, headers=bearer(Role.MARKETING))
        return answer.status, await answer.json()

    async def take(self, now: datetime) -> list[str]:
        """Return the numbers that may be called."""
        taken = await self.hopper.take(self.scene.campaign, 10, now, {})
        return sorted(one.lead.phone.e164 for one in taken)


@pytest.fixture
async def floor(databases: Databases) -> AsyncGenerator[Floor]:
    url = await databases.create(prepare)
    pool = await create_pool(url, "dialer", max_size=4)
    stage = PgStage(pool, OutboxSignal())
    room = await stage.add_pool()
    lease = await stage.store.acquire_lease(room.id, uuid4(), "http://here")
    assert lease is not None
    await stage.add_trunk(countries=["US"])
    plan = Plan(purpose="marketing", mode=Mode.PREVIEW, hours=(Hours(start=time(8), end=time(21)),), subject="boilers")
    campaign = Campaign(
        uuid4(), "C", CampaignState.RUNNING, room.id, plan, 1, NOON, uuid4(), 1, uuid4(), launched_at=NOON
    )
    await stage.add_campaign(campaign)
    packs, texts, numbers = packloader.load_shipped()
    kept = tuple(KeptPack(pack.id, pack.version, texts[pack.id], shipped=True) for pack in packs.values())
    store = PackStore(pool, new_id, OutboxSignal())
    shelf = PackShelf(store, Shipped(packs, kept, packloader.load_places(), numbers), packloader.parse_text)
    await shelf.start(NOON)
    hopper = Hopper(campaign.id, stage.store, PackGatekeeper(lambda: shelf.packs), lease.fence)
    clock = MovedClock()
    clock.at = NOON
    routes = list_routes(shelf, ScrubStore(pool), digest)
    app = build_app("dialer", [routes], verifier=PlainVerifier(), clock=clock, pool=pool)
    async with TestClient(TestServer(app)) as client:
        yield Floor(Scene(stage, room, lease.fence, campaign), hopper, client)
    await pool.close()
    await databases.drop(url)


async def waiting(floor: Floor, *numbers: str) -> list[Lead]:
    leads = [
        Lead(
            uuid4(),
            floor.scene.campaign.id,
            uuid4(),
            LeadState.WAITING,
            Person(name="Ann", country="US", region="NY"),
            (Phone(number, digest(E164(number)), "landline", "US"),),
            0,
            Stream.FRESH,
            NOON - timedelta(minutes=1),
            1,
        )
        for number in numbers
    ]
    for lead in leads:
        await floor.scene.stage.add_lead(lead)
    return leads


async def test_nobody_is_sold_to_before_their_number_was_compared_and_the_clean_ones_at_once_after(
    floor: Floor,
) -> None:
    clean, listed, unknown = await waiting(floor, "+12125550101", "+12125550102", "+12125550103")
    assert await floor.take(NOON) == []
    held = [await floor.scene.store.load_lead(lead.id) for lead in (clean, listed, unknown)]
    assert {(one.state, one.held_by, one.next_at) for one in held} == {
        (LeadState.WAITING, "us.do-not-call", NOON + UNCOMPARED_WAIT)
    }

    told: list[int] = []
    for name in NEEDED:
        status, taken = await floor.bring(name, {clean.phone.e164: False, listed.phone.e164: name == NEEDED[0]})
        assert status == 201
        told.append(taken["leads"])
    assert told == [3, 0]

    soon = NOON + timedelta(seconds=1)
    assert await floor.take(soon) == [clean.phone.e164]
    assert (await floor.scene.store.load_lead(listed.id)).state is LeadState.FINISHED
    assert (await floor.scene.store.load_lead(unknown.id)).held_by == "us.do-not-call"


async def test_a_comparison_grows_too_old_and_a_newer_one_is_good_again(floor: Floor) -> None:
    (lead,) = await waiting(floor, "+12125550101")
    for name in NEEDED:
        await floor.bring(name, {lead.phone.e164: False}, "2026-10-23")
    assert await floor.take(NOON) == []
    for name in NEEDED:
        await floor.bring(name, {lead.phone.e164: False}, "2026-10-24")
    assert await floor.take(NOON + timedelta(seconds=1)) == [lead.phone.e164]


async def test_an_older_version_of_a_list_changes_nothing(floor: Floor) -> None:
    (lead,) = await waiting(floor, "+12125550101")
    await floor.bring(NEEDED[0], {lead.phone.e164: True}, "2026-11-20")
    _, taken = await floor.bring(NEEDED[0], {lead.phone.e164: False}, "2026-11-19")
    assert (taken["numbers"], taken["listed"], taken["older"]) == (1, 0, 1)
    [history] = await floor.scene.store.load_history([lead], NOON, NOON)
    assert history.scrubs[NEEDED[0]].listed
    assert history.scrubs[NEEDED[0]].version_on == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("name", "body", "status", "field"),
    [
        ("internal", {}, 404, None),
        ("us_national", {}, 404, None),
        (NEEDED[0], {"version_on": "2026-11-26"}, 422, "version_on"),
        (NEEDED[0], {"version_on": "soon"}, 422, "version_on"),
        (NEEDED[0], {"numbers": []}, 422, "numbers"),
        (NEEDED[0], {"numbers": [{"number": "2125550101", "listed": False}]}, 422, "numbers[0].number"),
        (NEEDED[0], {"numbers": [{"number": "+12125550101", "listed": "maybe"}]}, 422, "numbers[0].listed"),
        (NEEDED[0], {"numbers": [{"number": "+12125550101"}]}, 422, "numbers[0].listed"),
        (NEEDED[0], {"numbers": [{"number": "+12125550101", "listed": False}] * (MOST + 1)}, 422, "numbers"),
        (NEEDED[0], {"lsited": True}, 422, "lsited"),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    floor: Floor, name: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    good = {"version_on": "2026-11-20", "numbers": [{"number": "+12125550101", "listed": False}]}
    answer = await floor.client.post(
        f"/api/dialer/lists/{name}/scrubs", json={**good, **body}, headers=bearer(Role.MARKETING)
    )
    said = await answer.json()
    assert answer.status == status
    if field is not None:
        assert [problem["field"] for problem in said["fields"]] == [field]
    brought = await floor.client.get("/api/dialer/lists/imports", headers=bearer(Role.AUDITOR))
    assert (await brought.json())["items"] == []


async def test_a_number_given_twice_is_listed_if_it_is_once_and_imports_are_on_record(floor: Floor) -> None:
    numbers = [{"number": "+12125550101", "listed": True}, {"number": "+12125550101", "listed": False}]
    body = {"version_on": "2026-11-20", "numbers": numbers}
    path = f"/api/dialer/lists/{NEEDED[0]}/scrubs"
    assert (await floor.client.post(path, json=body, headers=bearer(Role.AUDITOR))).status == 403
    assert (await floor.client.post(path, json=body, headers=bearer(Role.ADMIN))).status == 201
    brought = await (await floor.client.get("/api/dialer/lists/imports", headers=bearer(Role.AUDITOR))).json()
    assert [(one["list"], one["numbers"], one["listed"]) for one in brought["items"]] == [(NEEDED[0], 1, 1)]
    assert "internal" not in LISTS


def test_a_file_of_answers_is_read_with_national_numbers(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text("number,listed\n(212) 555-0101,no\n+12125550102,YES\n")
    told: list[int] = []
    assert read_answers(file, "US", told.append) == [
        {"number": "+12125550101", "listed": False},
        {"number": "+12125550102", "listed": True},
    ]
    file.write_text("number,listed\n" + "+12125550101,no\n" * 2_500)
    read_answers(file, None, told.append)
    assert told == [1_000, 2_000]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("number;listed\n+12125550101;no\n", "column listed and number"),
        ("number,listed\n12,no\n+12125550101,perhaps\n", "line 2: .*\nline 3: 'listed' must be yes or no"),
        ("number,listed\n+12125550101\n", "line 2: 'listed'"),
        ("number,listed\n", "no line with a number"),
        ("", "column listed and number"),
    ],
)
def test_a_wrong_file_is_refused_whole_with_its_lines(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(text)
    with pytest.raises(CommandError, match=says):
        read_answers(file, None, lambda _: None)
