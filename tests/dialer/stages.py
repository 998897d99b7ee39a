"""A floor to put a store to the test on: the same acts on memory and on PostgreSQL."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain.attempts import Attempt, AttemptState
from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.ports import Change, Committed, DeskStore, Fence, Pool, Reservation
from services.dialer.store import DialerStore, rows
from services.dialer.store.campaigns import CampaignStore
from services.dialer.store.reserve import TrunkUse
from services.dialer.workers.leases import LeaseStore
from services.events.topics import PARTITIONS
from services.runtime import postgres
from services.runtime.clock import SystemClock
from services.runtime.ids import new_id
from tests.dialer.floor import SCRIPT
from tests.fakes.dialer_store import LeaseRow, MemoryDatabase, MemoryDialerStore

NOW = SystemClock().now().replace(microsecond=0)
TRUNK: dict[str, Any] = {
    "id": "main",
    "calls_per_second": 1000,
    "channels": 100,
    "countries": ["GB"],
    "cost_per_attempt_micros": 0,
    "spend_cap_micros": None,
}


class Store(LeaseStore, DeskStore, Protocol):
    """All that the dialer's store answers to."""


class Stage(Protocol):
    """What tests lay out beneath a store."""

    store: Store

    async def add_pool(self) -> Pool:
        """Make a pool with its lease, free to be taken."""
        ...

    async def add_trunk(self, **limits: Any) -> None:
        """Make or change a trunk."""
        ...

    async def add_campaign(self, campaign: Campaign) -> None:
        """Keep a campaign as it is, with its script."""
        ...

    async def set_state(self, campaign_id: UUID, state: CampaignState) -> None:
        """Let a campaign be in another state."""
        ...

    async def add_lead(self, lead: Lead) -> None:
        """Keep a lead as it is, and know its person."""
        ...

    async def add_operator(self, operator: Operator) -> None:
        """Keep an operator as they are."""
        ...

    async def suppress(self, *, person: UUID | None = None, number: str | None = None) -> None:
        """Let a person or number be one that nobody may call."""
        ...

    async def stop(self, scope: str, target: str = "") -> None:
        """Put an emergency stop in force."""
        ...

    async def lift(self) -> None:
        """Lift every emergency stop."""
        ...

    async def freshen(self, at: datetime) -> None:
        """Let the view of consents be complete up to an instant."""
        ...

    async def expire_lease(self, pool_id: UUID) -> None:
        """Let four seconds pass without a renewal."""
        ...

    async def facts(self) -> list[str]:
        """Return the types of what was announced, in order."""
        ...


class MemoryStage:
    """Fits `Stage`, in memory."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.db = MemoryDatabase(SystemClock().now)
        self.store: Store = MemoryDialerStore(self.db)

    async def add_pool(self) -> Pool:
        """Make a pool."""
        pool = Pool(uuid4(), f"pool {len(self.db.pools)}", wrap_up_limit_s=5, lost_grace_s=1, offer_limit_s=5)
        self.db.pools[pool.id], self.db.leases[pool.id] = pool, LeaseRow()
        return pool

    async def add_trunk(self, **limits: Any) -> None:
        """Make a trunk."""
        said = {**TRUNK, **limits}
        self.db.trunks[said["id"]] = TrunkUse(
            id=said["id"],
            interval=timedelta(seconds=1 / said["calls_per_second"]),
            channels=said["channels"],
            countries=frozenset(said["countries"]),
            cost=said["cost_per_attempt_micros"],
            cap=said["spend_cap_micros"],
            live=0,
            next_slot_at=NOW - timedelta(days=365),
            spent=0,
            today=NOW.date(),
        )

    async def add_campaign(self, campaign: Campaign) -> None:
        """Keep a campaign."""
        self.db.campaigns[campaign.id] = campaign
        if campaign.script_id is not None and campaign.script_version is not None:
            self.db.scripts[campaign.script_id, campaign.script_version] = SCRIPT

    async def set_state(self, campaign_id: UUID, state: CampaignState) -> None:
        """Change a state."""
        self.db.campaigns[campaign_id] = replace(self.db.campaigns[campaign_id], state=state)

    async def add_lead(self, lead: Lead) -> None:
        """Keep a lead."""
        self.db.leads[lead.id] = lead

    async def add_operator(self, operator: Operator) -> None:
        """Keep an operator."""
        self.db.operators[operator.id] = operator

    async def suppress(self, *, person: UUID | None = None, number: str | None = None) -> None:
        """Suppress."""
        if person is not None:
            self.db.suppressed[person] = NOW
        if number is not None:
            self.db.numbers[number] = NOW

    async def stop(self, scope: str, target: str = "") -> None:
        """Stop."""
        self.db.stops.add((scope, target))

    async def lift(self) -> None:
        """Lift."""
        self.db.stops.clear()

    async def freshen(self, at: datetime) -> None:
        """Note the view of consents."""
        self.db.consents_at = at

    async def expire_lease(self, pool_id: UUID) -> None:
        """Expire."""
        self.db.leases[pool_id].expires_at = SystemClock().now() - timedelta(seconds=1)

    async def facts(self) -> list[str]:
        """Return what was announced."""
        return [fact.type_name() for fact in self.db.facts]


class PgStage:
    """Fits `Stage`, on a real PostgreSQL."""

    def __init__(self, pool: postgres.Pool, wake: Any) -> None:
        """Use a migrated, empty database."""
        self.pool = pool
        self.dialer = DialerStore(pool, new_id, wake)
        self.store: Store = self.dialer
        self.campaigns = CampaignStore(pool, new_id, wake)

    async def add_pool(self) -> Pool:
        """Make a pool."""
        pool = Pool(uuid4(), f"pool {uuid4()}", wrap_up_limit_s=5, lost_grace_s=1, offer_limit_s=5)
        await self.campaigns.insert_pool(pool)
        return pool

    async def add_trunk(self, **limits: Any) -> None:
        """Make a trunk."""
        await self.campaigns.save_trunk({**TRUNK, **limits})

    async def add_campaign(self, campaign: Campaign) -> None:
        """Keep a campaign."""
        if campaign.script_id is not None:
            await self.campaigns.save_script(campaign.script_id, "Script", SCRIPT, NOW, None, first=True)
        await self.campaigns.insert_campaign(campaign, None, ())
        await self.pool.execute(
            "UPDATE campaigns SET state = $2, version = $3, launched_at = $4 WHERE id = $1",
            campaign.id,
            campaign.state.value,
            campaign.version,
            campaign.launched_at,
        )

    async def set_state(self, campaign_id: UUID, state: CampaignState) -> None:
        """Change a state."""
        await self.pool.execute("UPDATE campaigns SET state = $2 WHERE id = $1", campaign_id, state.value)

    async def add_lead(self, lead: Lead) -> None:
        """Keep a lead."""
        await self.pool.execute("INSERT INTO people (contact_id) VALUES ($1) ON CONFLICT DO NOTHING", lead.contact_id)
        kept = [lead.id, lead.campaign_id, lead.contact_id, lead.state.value, lead.result, lead.priority]
        await self.pool.execute(
            "INSERT INTO leads (id, campaign_id, contact_id, state, result, priority, person, phones, stream, next_at,"
            " attempts, step, version, enrolled_at, held_by, callback_operator) VALUES"
            " ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb, $9, $10, $11, $12, $13, $10, $14, $15)",
            *kept,
            rows.person_to_json(lead.person),
            rows.phones_to_json(lead.phones),
            int(lead.stream),
            lead.next_at,
            lead.attempts,
            lead.step,
            lead.version,
            lead.held_by,
            lead.callback_operator,
        )

    async def add_operator(self, operator: Operator) -> None:
        """Keep an operator."""
        await self.pool.execute(
            "INSERT INTO operators (id, name, pool_id, skills, state, since, version, instance_id)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            operator.id,
            operator.name,
            operator.pool_id,
            sorted(operator.skills),
            operator.state.value,
            operator.since,
            operator.version,
            operator.instance_id,
        )

    async def suppress(self, *, person: UUID | None = None, number: str | None = None) -> None:
        """Suppress."""
        if person is not None:
            statement = "UPDATE people SET suppressed_at = $2, suppressed_by = 'test' WHERE contact_id = $1"
            await self.pool.execute(statement, person, NOW)
        if number is not None:
            await self.pool.execute("INSERT INTO suppressed_numbers VALUES ($1, $2, 'test')", number, NOW)

    async def stop(self, scope: str, target: str = "") -> None:
        """Stop."""
        await self.campaigns.stop(scope, target, NOW, None, "test")

    async def lift(self) -> None:
        """Lift."""
        await self.pool.execute("DELETE FROM stops")

    async def freshen(self, at: datetime) -> None:
        """Note the view of consents."""
        await self.pool.execute(
            "INSERT INTO consent_watermarks SELECT shard, $2 FROM generate_series(0, $1 - 1) AS shard", PARTITIONS, at
        )

    async def expire_lease(self, pool_id: UUID) -> None:
        """Expire."""
        statement = "UPDATE leases SET expires_at = clock_timestamp() - interval '1 second' WHERE pool_id = $1"
        await self.pool.execute(statement, pool_id)

    async def facts(self) -> list[str]:
        """Return what was announced."""
        return [row["type"] for row in await self.pool.fetch("SELECT type FROM outbox ORDER BY seq")]


class Scene:
    """A pool held by an owner, with a trunk and a running campaign, and short ways to make what happens there."""

    def __init__(self, stage: Stage, pool: Pool, fence: Fence, campaign: Campaign) -> None:
        """Hold the parts."""
        self.stage, self.store, self.pool, self.fence, self.campaign = stage, stage.store, pool, fence, campaign
        self._numbers = 0

    async def lead(self, number: int | None = None, **said: Any) -> Lead:
        """Add a waiting lead with a number of its own, or with a given one."""
        self._numbers += 1
        digits = 500 + self._numbers if number is None else number
        phone = Phone(f"+441632960{digits:03d}", f"digest-{digits}", "mobile", "GB")
        due = NOW - timedelta(minutes=5)
        made = Lead(
            uuid4(), self.campaign.id, uuid4(), LeadState.WAITING, Person("P"), (phone,), 0, Stream.FRESH, due, 1
        )
        made = replace(made, **said)
        await self.stage.add_lead(made)
        return made

    async def operator(self, state: OperatorState = OperatorState.READY, **said: Any) -> Operator:
        """Add an operator."""
        made = replace(Operator(uuid4(), "Op", self.pool.id, state, NOW, 1), **said)
        await self.stage.add_operator(made)
        return made

    def wish(self, lead: Lead, *, at: datetime = NOW, **said: Any) -> Reservation:
        """Return the wish to call a lead."""
        n = lead.attempts + 1
        attempt = Attempt(
            id=new_id(),
            lead_id=lead.id,
            campaign_id=lead.campaign_id,
            pool_id=self.pool.id,
            contact_id=lead.contact_id,
            phone=lead.phone.e164,
            number_digest=lead.phone.digest,
            n=n,
            mode="progressive",
            trunk="main",
            caller_id="+441632960999",
            state=AttemptState.RESERVED,
            version=1,
            epoch=self.fence.epoch,
            decision={"decision": "allow"},
            ring_timeout_s=25,
            reserved_at=at,
            dial_slot_at=at,
        )
        busy = replace(lead, state=LeadState.BUSY, attempts=n, version=lead.version + 1)
        fields: Mapping[str, Any] = {"caps": (), "fence": self.fence, **said}
        return Reservation(replace(attempt, trunk=said.get("trunk", "main")), busy, fields["caps"], fields["fence"])

    async def reserved(self, lead: Lead | None = None, **said: Any) -> Attempt:
        """Reserve a call to a lead, or to a new one."""
        answer = (await self.store.reserve([self.wish(lead or await self.lead(), **said)]))[0]
        assert isinstance(answer, Attempt), answer
        return answer

    async def answered(self, lead: Lead | None = None) -> Attempt:
        """Reserve a call to a lead, or to a new one, and let the person pick up."""
        attempt = await self.reserved(lead)
        for signal in (attempt_rules.DialBegun(), attempt_rules.RingingSeen(), attempt_rules.PickedUp()):
            attempt = attempt_rules.decide(attempt, signal, NOW)
            [answer] = await self.store.commit([Change(attempt=attempt, fence=self.fence)])
            assert isinstance(answer, Committed), answer
        return attempt

    async def halt(self) -> None:
        """Pause the campaign."""
        await self.stage.set_state(self.campaign.id, CampaignState.PAUSED)


async def set_scene(stage: Stage, **plan: Any) -> Scene:
    """Lay out a scene with a pool that is held."""
    pool = await stage.add_pool()
    lease = await stage.store.acquire_lease(pool.id, uuid4(), "http://here")
    assert lease is not None
    await stage.add_trunk()
    campaign = await running(stage, pool, **plan)
    return Scene(stage, pool, lease.fence, campaign)


async def running(stage: Stage, pool: Pool, state: CampaignState = CampaignState.RUNNING, **plan: Any) -> Campaign:
    """Add a campaign to a pool."""
    chosen = Plan(caller_ids=("+441632960999",), **plan)
    campaign = Campaign(uuid4(), "Survey", state, pool.id, chosen, 2, NOW, uuid4(), 1, uuid4(), launched_at=NOW)
    await stage.add_campaign(campaign)
    return campaign
