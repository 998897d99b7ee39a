"""The hopper with the packs that ship: where a rule asks for an operator before each call, lines go one by one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.dialer.domain.campaigns import Campaign, CampaignState, Plan, one_by_one
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.domain.pacing import Mode
from services.dialer.packloader import load_packs
from services.dialer.ports import Fence, Pool
from services.dialer.usecases.packgate import PackGatekeeper
from services.dialer.workers.hopper import Hopper
from tests.fakes.dialer_store import LeaseRow, MemoryDatabase, MemoryDialerStore

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BRITISH = Phone("+441632960001", "digest", "landline", "GB")


@pytest.fixture(scope="module")
def gatekeeper() -> PackGatekeeper:
    packs = load_packs([])
    return PackGatekeeper(lambda: packs)


@pytest.fixture
def campaign() -> Campaign:
    plan = Plan(purpose="informational", mode=Mode.PREDICTIVE, caller_ids=("+441632960100",))
    return Campaign(uuid4(), "News", CampaignState.RUNNING, uuid4(), plan, 1, NOON, launched_at=NOON)


def store_with(campaign: Campaign, leads: int) -> MemoryDialerStore:
    database = MemoryDatabase(now=lambda: NOON)
    database.pools[campaign.pool_id] = Pool(campaign.pool_id, "main", 60, 10, 60)
    database.leases[campaign.pool_id] = LeaseRow(epoch=1)
    database.campaigns[campaign.id] = campaign
    for number in range(leads):
        lead = waiting(campaign.id, number)
        database.leads[lead.id] = lead
    return MemoryDialerStore(database)


def waiting(campaign_id: UUID, number: int) -> Lead:
    return Lead(
        id=uuid4(),
        campaign_id=campaign_id,
        contact_id=uuid4(),
        person=Person(name="Ann", country="GB", time_zone="Europe/London"),
        phones=(replace(BRITISH, digest=f"digest-{number}"),),
        state=LeadState.WAITING,
        stream=Stream.FRESH,
        next_at=NOON - timedelta(minutes=1),
        priority=1,
        version=1,
    )


async def test_a_young_campaign_in_britain_dials_one_by_one(gatekeeper: PackGatekeeper, campaign: Campaign) -> None:
    store = store_with(campaign, 5)
    hopper = Hopper(campaign.id, store, gatekeeper, Fence(campaign.pool_id, 1))

    assert await hopper.take(campaign, 3, NOON, {}) == []
    assert hopper.one_by_one
    assert {lead.state for lead in store.db.leads.values()} == {LeadState.WAITING}
    assert {lead.held_by for lead in store.db.leads.values()} == {None}

    taken = await hopper.take(one_by_one(campaign), 3, NOON, {})
    assert len(taken) == 3
    assert not hopper.one_by_one


async def test_who_may_not_be_called_in_any_mode_is_put_off_as_ever(
    gatekeeper: PackGatekeeper, campaign: Campaign
) -> None:
    store = store_with(campaign, 2)
    hopper = Hopper(campaign.id, store, gatekeeper, Fence(campaign.pool_id, 1))
    night = NOON + timedelta(hours=12)
    store.db.now = lambda: night

    assert await hopper.take(campaign, 3, night, {}) == []
    assert not hopper.one_by_one
    assert all(lead.next_at > night for lead in store.db.leads.values())
