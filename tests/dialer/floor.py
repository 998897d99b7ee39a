"""A calling floor for tests: a pool, a trunk, a script, a campaign, leads and operators, on any store."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.leads import Person, Phone
from services.dialer.domain.pacing import Mode
from services.dialer.domain.scripts import Option, Question, Script
from services.dialer.ports import NewLead, Pool
from services.dialer.store.campaigns import CampaignStore
from services.dialer.store.news import enrol_leads
from services.dialer.usecases import campaigns as use
from services.events.topics import PARTITIONS
from services.runtime import postgres

SCRIPT = Script(
    languages=("en",),
    opening={"en": "Hello, this is Galw."},
    questions=(
        Question(
            id="served",
            kind="choice",
            ask={"en": "Were you well served?"},
            options=(Option(value="yes", label={"en": "Yes"}), Option(value="no", label={"en": "No"})),
        ),
        Question(id="score", kind="scale", ask={"en": "How well, from 1 to 5?"}, minimum=1, maximum=5, required=False),
    ),
)
TRUNK = {
    "id": "main",
    "calls_per_second": 500,
    "channels": 200,
    "countries": ["GB"],
    "cost_per_attempt_micros": 0,
    "spend_cap_micros": None,
}


def at_any_hour(plan: Plan, countries: Collection[str], now: datetime) -> bool:
    """Fit `MayEverCall` where hours are not what is tested."""
    del countries, now
    return bool(plan.hours)


def phone_number(index: int) -> str:
    """Return a number of the range that Ofcom keeps for fiction."""
    return f"+441632960{index:03d}"


async def lay_out(
    store: CampaignStore, pool: postgres.Pool, now: datetime, *, leads: int, plan: Plan | None = None
) -> Campaign:
    """Make a pool `main` and a running campaign with leads, and say that the view of consents is fresh."""
    room = Pool(uuid4(), "main", wrap_up_limit_s=5, lost_grace_s=1, offer_limit_s=5)
    await store.insert_pool(room)
    await store.save_trunk(TRUNK)
    script_id = uuid4()
    await store.save_script(script_id, "Survey", SCRIPT, now, None, first=True)
    chosen = plan or Plan(mode=Mode.PROGRESSIVE, caller_ids=("+441632960999",))
    campaign = Campaign(
        uuid4(), "Survey", CampaignState.DRAFT, room.id, chosen, 1, now, script_id, 1, audience_id=uuid4()
    )
    await use.create(store, campaign, None)
    campaign = await use.command(store, campaign.id, None, "launch", now, None, at_any_hour)
    await enrol(pool, campaign.id, range(leads), now)
    await freshen(pool, now)
    return campaign


async def enrol(pool: postgres.Pool, campaign_id: UUID, numbers: Sequence[int], now: datetime) -> list[UUID]:
    """Add people to a campaign, one per number; return their contact ids."""
    people = [
        NewLead(
            uuid4(),
            campaign_id,
            uuid4(),
            Person(name=f"Person {n}", country="GB", time_zone="Europe/London"),
            (Phone(phone_number(n), f"digest-{n}", "mobile", "GB"),),
            0,
            0,
        )
        for n in numbers
    ]
    async with postgres.transaction(pool) as conn:
        await enrol_leads(conn, people, now)
    return [person.contact_id for person in people]


async def freshen(pool: postgres.Pool, now: datetime, *, ahead: timedelta = timedelta(hours=1)) -> None:
    """Let the view of consents count as fresh for a while, as no news from the CRM could."""
    await pool.execute(
        "INSERT INTO consent_watermarks SELECT shard, $2 FROM generate_series(0, $1 - 1) AS shard"
        " ON CONFLICT (shard) DO UPDATE SET at = excluded.at",
        PARTITIONS,
        now + ahead,
    )
