"""The hopper with the packs that ship: where a rule asks for an operator before each call, lines go one by one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.dialer.domain.attempts import AttemptState, Outcome
from services.dialer.domain.campaigns import Campaign, CampaignState, Plan, one_by_one
from services.dialer.domain.caps import AbandonmentLimit
from services.dialer.domain.gate.facts import CampaignCounts, Counts, DoNotCallList, Scrub
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.domain.pacing import Mode
from services.dialer.packloader import load_packs
from services.dialer.ports import Fence, GateHistory, Pool
from services.dialer.usecases.packgate import PackGatekeeper
from services.dialer.workers import hopper as hoppers
from services.dialer.workers.hopper import Hopper
from tests.dialer.samples import attempt
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


def answered(store: MemoryDialerStore, campaign: Campaign, at: datetime, *outcomes: Outcome) -> None:
    """Let people have answered the campaign's calls at an instant."""
    for outcome in outcomes:
        ended = attempt(
            AttemptState.ENDED, id=uuid4(), campaign_id=campaign.id, outcome=outcome, answered_at=at, ended_at=at
        )
        store.db.attempts[ended.id] = ended


async def test_a_british_campaign_over_the_cap_dials_one_by_one_until_the_day_is_over(
    gatekeeper: PackGatekeeper, campaign: Campaign
) -> None:
    store = store_with(campaign, 5)
    answered(store, campaign, NOON - timedelta(hours=1), Outcome.ANSWERED, Outcome.ABANDONED)
    hopper = Hopper(campaign.id, store, gatekeeper, Fence(campaign.pool_id, 1))

    assert await hopper.take(campaign, 3, NOON, {}) == []
    assert hopper.one_by_one
    assert {lead.state for lead in store.db.leads.values()} == {LeadState.WAITING}
    assert {lead.held_by for lead in store.db.leads.values()} == {None}

    taken = await hopper.take(one_by_one(campaign), 2, NOON, {})
    assert len(taken) == 2
    assert not hopper.one_by_one

    tomorrow = NOON + timedelta(days=1)
    assert len(await hopper.take(campaign, 3, tomorrow, {})) == 3
    assert not hopper.one_by_one


async def test_a_young_british_campaign_that_abandoned_nobody_dials_several_lines(
    gatekeeper: PackGatekeeper, campaign: Campaign
) -> None:
    hopper = Hopper(campaign.id, store_with(campaign, 5), gatekeeper, Fence(campaign.pool_id, 1))
    assert len(await hopper.take(campaign, 3, NOON, {})) == 3


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


async def test_nobody_is_handed_out_twice_when_the_queue_runs_dry_in_the_middle(
    gatekeeper: PackGatekeeper, campaign: Campaign
) -> None:
    store = store_with(campaign, 6)
    hopper = Hopper(campaign.id, store, gatekeeper, Fence(campaign.pool_id, 1))
    calm = one_by_one(campaign)
    first = await hopper.take(calm, 4, NOON, {})
    for candidate in first:
        store.db.leads[candidate.lead.id] = replace(candidate.lead, state=LeadState.BUSY)
    rest = await hopper.take(calm, 5, NOON + timedelta(seconds=1), {})
    assert len(first) == 4
    assert len({candidate.lead.id for candidate in rest}) == len(rest) == 2


async def test_pacing_hears_under_which_law_and_in_which_zone_a_campaign_calls(
    gatekeeper: PackGatekeeper, campaign: Campaign
) -> None:
    hopper = Hopper(campaign.id, store_with(campaign, 2), gatekeeper, Fence(campaign.pool_id, 1))
    assert (hopper.limits, hopper.zone) == (set(), None)
    await hopper.take(campaign, 1, NOON, {})
    assert (hopper.limits, hopper.zone) == ({AbandonmentLimit(0.03, "day")}, "Europe/London")


@pytest.mark.parametrize(
    ("phone", "zone", "limit"),
    [
        (BRITISH, "Europe/London", AbandonmentLimit(0.03, "day")),
        (Phone("+14165550100", "digest", "landline", "CA"), "America/Toronto", AbandonmentLimit(0.05, "month")),
        (Phone("+12125550100", "digest", "landline", "US"), "America/New_York", AbandonmentLimit(0.03, "block")),
    ],
)
def test_a_verdict_says_what_the_law_of_the_place_allows_of_abandoned_calls(
    gatekeeper: PackGatekeeper, campaign: Campaign, phone: Phone, zone: str, limit: AbandonmentLimit
) -> None:
    person = Person(name="Ann", country=phone.country, time_zone=zone)
    lead = replace(waiting(campaign.id, 1), person=person, phones=(phone,))
    selling = replace(campaign, plan=campaign.plan.model_copy(update={"purpose": "marketing"}))
    at = NOON + timedelta(hours=7)  # an hour at which all of the United States may be called
    lists: tuple[DoNotCallList, ...] = ("tps", "ctps", "ca_dncl", "us_national_dnc", "us_state_dnc")
    unlisted: dict[DoNotCallList, Scrub] = {name: Scrub(at.date(), listed=False) for name in lists}
    record = CampaignCounts(NOON, windows={limit.window: Counts(100, 0)})
    history = GateHistory(suppressed=False, scrubs=unlisted, record=record)
    verdict = gatekeeper.judge(selling, lead, history, at)
    assert (verdict.held_by, verdict.limits, verdict.zone) == (None, (limit,), zone)


async def test_a_queue_that_had_more_is_read_on_at_once_and_an_empty_one_waits(
    gatekeeper: PackGatekeeper, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hoppers, "FETCH", 3)
    store = store_with(campaign, 5)
    hopper = Hopper(campaign.id, store, gatekeeper, Fence(campaign.pool_id, 1))

    async def take(count: int) -> int:
        taken = await hopper.take(campaign, count, NOON, {})
        for candidate in taken:
            store.db.leads[candidate.lead.id] = replace(candidate.lead, state=LeadState.BUSY)
        return len(taken)

    assert [await take(9), await take(9)] == [3, 2]
    late = waiting(campaign.id, 9)
    store.db.leads[late.id] = late
    assert await take(9) == 0
    assert len(await hopper.take(campaign, 9, NOON + hoppers.REFETCH, {})) == 1
