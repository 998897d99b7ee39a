"""One person's last allowed call, wanted by two dialers a hundred times at once, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.campaigns import Plan
from services.dialer.domain.leads import hold
from services.dialer.ports import CapNow, Change, Committed, Fence, Refusal, Reservation
from services.dialer.store import DialerStore
from services.runtime.ids import new_id
from services.runtime.outbox import OutboxSignal
from services.runtime.postgres import Pool, create_pool, migrate
from tests.peers import Databases

pytestmark = pytest.mark.pg

PERSON = uuid4()
NUMBER = "+13055550123"
NOW = datetime(2026, 11, 24, 17, tzinfo=UTC)
CAMPAIGNS = 100


async def prepare(url: str) -> None:
    await migrate(url, "dialer", ["services.runtime", "services.dialer"])


@dataclass(slots=True)
class Dialers:
    """Two dialers with a pool each, and one person who is a lead of a hundred campaigns, half of them in each."""

    stores: tuple[DialerStore, DialerStore]
    fences: list[Fence]
    connections: Pool

    async def want(self, caps: tuple[CapNow, ...], only: slice = slice(None)) -> list[Attempt | Refusal]:
        """Reserve a call for every campaign at once, each in a transaction of its own."""
        rows = await self.connections.fetch("SELECT id FROM leads ORDER BY campaign_id")
        wishes = [await self._wish(row["id"], caps) for row in rows[only]]
        answers = await asyncio.gather(*(self._reserve(wish) for wish in wishes))
        return [answer for group in answers for answer in group]

    async def _wish(self, lead_id: UUID, caps: tuple[CapNow, ...]) -> tuple[int, Reservation]:
        lead = await self.stores[0].load_lead(lead_id)
        taken = hold(lead, attempts=lead.attempts + 1)
        side = lead.campaign_id.int % 2
        now = NOW
        attempt = Attempt(
            id=uuid4(),
            lead_id=lead.id,
            campaign_id=lead.campaign_id,
            pool_id=self.fences[side].pool_id,
            contact_id=PERSON,
            phone=NUMBER,
            number_digest="digest",
            n=taken.attempts,
            mode="preview",
            trunk="main",
            caller_id="+13055550100",
            state=AttemptState.RESERVED,
            version=1,
            epoch=self.fences[side].epoch,
            decision={},
            ring_timeout_s=25,
            reserved_at=now,
            dial_slot_at=now,
        )
        return side, Reservation(attempt, taken, caps, self.fences[side])

    async def _reserve(self, wish: tuple[int, Reservation]) -> list[Attempt | Refusal]:
        side, reservation = wish
        return await self.stores[side].reserve([reservation])

    async def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """End a call without a word."""
        ended = replace(
            attempt,
            state=AttemptState.ENDED,
            outcome=outcome,
            ended_at=attempt.reserved_at,
            version=attempt.version + 1,
        )
        (answer,) = await self.stores[0].commit([Change(attempt=ended)])
        assert isinstance(answer, Committed)


@pytest.fixture
async def dialers(databases: Databases) -> AsyncGenerator[Dialers]:
    url = await databases.create(prepare)
    pools = [await create_pool(url, "dialer", max_size=50) for _ in range(2)]
    first, second = (DialerStore(pool, new_id, OutboxSignal()) for pool in pools)
    fences: list[Fence] = []
    conn = pools[0]
    await conn.execute(
        "INSERT INTO trunks (id, calls_per_second, channels, countries) VALUES ('main', 10000, 1000, '{US}')"
    )
    await conn.execute("INSERT INTO people (contact_id) VALUES ($1)", PERSON)
    for number in range(2):
        pool_id = uuid4()
        await conn.execute("INSERT INTO pools (id, name) VALUES ($1, $2)", pool_id, f"pool {number}")
        await conn.execute("INSERT INTO leases (pool_id) VALUES ($1)", pool_id)
        lease = await first.acquire_lease(pool_id, uuid4(), "")
        assert lease is not None
        fences.append(lease.fence)
    await enrol(conn, fences)
    yield Dialers((first, second), fences, conn)
    for pool in pools:
        await pool.close()
    await databases.drop(url)


async def enrol(conn: Pool, fences: list[Fence]) -> None:
    for number in range(CAMPAIGNS):
        campaign_id = UUID(int=2**80 + number)
        plan = Plan(subject="boilers" if number < 90 else "windows").model_dump(mode="json")
        await conn.execute(
            "INSERT INTO campaigns (id, name, state, pool_id, plan, created_at)"
            " VALUES ($1, 'C', 'running', $2, $3, now())",
            campaign_id,
            fences[number % 2].pool_id,
            plan,
        )
        await conn.execute(
            "INSERT INTO leads (id, campaign_id, contact_id, state, person, phones, next_at, enrolled_at)"
            " VALUES ($1, $2, $3, 'waiting', '{}', $4, now(), now())",
            uuid4(),
            campaign_id,
            PERSON,
            [{"e164": NUMBER, "digest": "digest", "kind": "landline", "country": "US"}],
        )


def won(answers: list[Attempt | Refusal]) -> list[Attempt]:
    return [answer for answer in answers if isinstance(answer, Attempt)]


@pytest.mark.timeout(120)
async def test_of_a_hundred_reservations_of_the_last_allowed_call_one_is_made(dialers: Dialers) -> None:
    caps = (CapNow(3, lasting=timedelta(hours=24), subject="boilers"),)
    for _ in range(2):
        earlier = won(await dialers.want(caps, slice(0, 1)))
        await dialers.end(earlier[0], Outcome.NO_ANSWER)

    answers = await dialers.want(caps, slice(1, None))
    (winner,) = won(answers)
    assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == {"cap"}

    # The call that was never dialed is given back: again there is one, and one gets it.
    await dialers.end(winner, Outcome.CANCELLED)
    (winner,) = won(await dialers.want(caps, slice(1, 12)))
    # One that rang is not.
    await dialers.end(winner, Outcome.NO_ANSWER)
    refused = await dialers.want(caps, slice(1, 12))
    assert won(refused) == []
    assert {answer.until for answer in refused if isinstance(answer, Refusal)} == {NOW + timedelta(hours=24)}


async def test_a_cap_counts_what_its_key_says(dialers: Dialers) -> None:
    first = won(await dialers.want((), slice(0, 1)))[0]
    await dialers.end(first, Outcome.BUSY)
    day = timedelta(days=1)
    midnight = first.reserved_at - timedelta(hours=3)

    async def allows(cap: CapNow, lead: int = 1) -> bool:
        made = won(await dialers.want((cap,), slice(lead, lead + 1)))
        for attempt in made:
            await dialers.end(attempt, Outcome.CANCELLED)
        return bool(made)

    assert not await allows(CapNow(1, lasting=day))
    assert await allows(CapNow(1, lasting=day, but_not=frozenset({"busy", "invalid"})))
    assert not await allows(CapNow(1, lasting=day, number=NUMBER))
    assert await allows(CapNow(1, lasting=day, number="+13055550199"))
    assert not await allows(CapNow(1, lasting=day, subject="boilers"))
    assert await allows(CapNow(1, lasting=day, subject="windows"))
    assert not await allows(CapNow(1, lasting=day, campaign_id=first.campaign_id))
    assert await allows(CapNow(1, lasting=day, campaign_id=UUID(int=2**80 + 1)))
    assert not await allows(CapNow(1, begins_at=midnight, ends_at=midnight + day))
    assert await allows(CapNow(1, begins_at=first.reserved_at, ends_at=midnight + day))
