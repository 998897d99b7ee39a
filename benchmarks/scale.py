"""How the dialer's work on one call changes with the number of leads: `python -m benchmarks.scale`.

For each size a database of its own is filled in bulk; then the store does, in batches, what the owner of a pool has it
do for each call: find the next leads, read their histories, reserve, begin to dial, ring, end, plan the next step.
Nothing else of a call depends on how many leads there are.
"""

import argparse
import asyncio
import os
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import uvloop

from benchmarks import stack
from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain import leads as lead_rules
from services.dialer.domain.attempts import Attempt, AttemptState
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.gate import Facts, decide, write_facts
from services.dialer.domain.leads import Lead, Stream
from services.dialer.packloader import load_packs
from services.dialer.ports import Change, Committed, Fence, Reservation
from services.dialer.store import DialerStore
from services.dialer.store.campaigns import CampaignStore
from services.runtime import postgres
from services.runtime.clock import SystemClock
from services.runtime.ids import new_id
from services.standalone.children import footprint
from services.standalone.postgres import PostgresServer, embedded_install
from tests.dialer import floor

SIZES = (1_000, 10_000, 100_000, 1_000_000)
BATCH = 25
CALLS = 6_000
FILLED_AT_ONCE = 20_000
TRUNK = {**floor.TRUNK, "calls_per_second": 1_000_000, "channels": 10_000}
FILL = """
WITH made AS (
    SELECT gen_random_uuid() AS id, gen_random_uuid() AS contact_id, n FROM generate_series($2::int, $3::int) AS n
), people AS (
    INSERT INTO people (contact_id) SELECT contact_id FROM made RETURNING 1
)
INSERT INTO leads (id, campaign_id, contact_id, state, person, phones, next_at, enrolled_at)
SELECT id, $1::uuid, contact_id, 'waiting', '{"name": "Person", "country": "GB"}',
    jsonb_build_array(jsonb_build_object('e164', '+4474' || lpad(n::text, 8, '0'), 'digest', 'd' || n::text,
        'kind', 'mobile', 'country', 'GB')),
    $4, $4
FROM made
"""


class Line:
    """One pool's store, driven as its owner drives it."""

    def __init__(self, store: DialerStore, campaign: Campaign, fence: Fence) -> None:
        self.store, self.campaign, self.fence = store, campaign, fence
        self.clock = SystemClock()
        # As the gatekeeper stores it: the facts, and every rule that took part; some 1,700 bytes.
        facts = Facts("+441632960001", mode="progressive", suppressed=False, purpose="survey")
        at = self.clock.now()
        self.verdict = {"facts": write_facts(facts, at), "decision": decide(facts, load_packs(), at).to_json()}

    async def call(self, leads: list[Lead]) -> int:
        """Take these leads through a call that nobody answers; return how many calls there were."""
        now = self.clock.now()
        await self.store.load_history(leads, now - timedelta(days=400), now)
        wanted = [self._reservation(lead, now) for lead in leads]
        answers = await self.store.reserve(wanted)
        calls = [(a, w.lead) for a, w in zip(answers, wanted, strict=True) if isinstance(a, Attempt)]
        for signal in (attempt_rules.DialBegun(), attempt_rules.RingingSeen()):
            calls = [(attempt_rules.decide(attempt, signal, now), lead) for attempt, lead in calls]
            dial = isinstance(signal, attempt_rules.DialBegun)
            await self.commit([Change(attempt=attempt, fence=self.fence, dial=dial) for attempt, _ in calls])
        ended = [self._ended(attempt, lead, now) for attempt, lead in calls]
        await self.commit(ended)
        return len(ended)

    async def commit(self, changes: list[Change]) -> None:
        answers = await self.store.commit(changes)
        assert all(isinstance(answer, Committed) for answer in answers), answers

    def _reservation(self, lead: Lead, now: datetime) -> Reservation:
        plan = self.campaign.plan
        attempt = Attempt(
            id=new_id(),
            lead_id=lead.id,
            campaign_id=self.campaign.id,
            pool_id=self.campaign.pool_id,
            contact_id=lead.contact_id,
            phone=lead.phone.e164,
            number_digest=lead.phone.digest,
            n=lead.attempts + 1,
            mode=plan.mode.value,
            trunk=plan.trunk,
            caller_id=plan.caller_ids[0],
            state=AttemptState.RESERVED,
            version=1,
            epoch=self.fence.epoch,
            decision=self.verdict,
            ring_timeout_s=plan.ring_timeout_s,
            reserved_at=now,
            dial_slot_at=now,
        )
        return Reservation(attempt, lead_rules.hold(lead, attempts=lead.attempts + 1), (), self.fence)

    def _ended(self, attempt: Attempt, lead: Lead, now: datetime) -> Change:
        after = attempt_rules.decide(attempt, attempt_rules.Destroyed(19, 480), now)
        assert after.outcome is not None
        return Change(
            attempt=after,
            lead=lead_rules.plan_after(lead, after.outcome, self.campaign.plan.cadence, now),
            fence=self.fence,
        )


async def measure(url: str, size: int) -> tuple[float, float]:
    """Return calls a second over a campaign of *size* leads, and processor milliseconds a call (PostgreSQL's too)."""
    await postgres.migrate(url, "dialer", ("services.runtime", "services.dialer"))
    pool = await postgres.create_pool(url, "dialer")
    wake = asyncio.Event()
    marketing, store, now = CampaignStore(pool, new_id, wake), DialerStore(pool, new_id, wake), SystemClock().now()
    campaign = await floor.lay_out(marketing, pool, now, leads=0)
    await marketing.save_trunk(TRUNK)
    for first in range(1, size + 1, FILLED_AT_ONCE):
        last = min(size, first + FILLED_AT_ONCE - 1)
        await pool.execute(FILL, campaign.id, first, last, now - timedelta(minutes=1))
    await pool.execute("ANALYZE")
    lease = await store.acquire_lease(campaign.pool_id, UUID(int=1), "benchmark")
    assert lease is not None
    line = Line(store, campaign, lease.fence)
    calls, began, cpu_s = 0, time.monotonic(), footprint(os.getpid()).cpu_s
    while calls < CALLS:
        leads = await store.list_due_leads(campaign.id, Stream.FRESH, SystemClock().now(), BATCH)
        if not leads:
            break
        calls += await line.call(leads)
    seconds, cpu_s = time.monotonic() - began, footprint(os.getpid()).cpu_s - cpu_s
    await pool.close()
    return calls / seconds, cpu_s / calls * 1000


async def run(server: PostgresServer, sizes: list[int]) -> None:
    for size in sizes:
        admin = await postgres.connect(server.url(), "public", "benchmark")
        await admin.execute(f"CREATE DATABASE leads_{size}")  # pyright: ignore[reportArgumentType] - a number of ours
        await admin.close()
        rate, each = await measure(server.url(f"leads_{size}"), size)
        print(f"{size:>9,} leads: {rate:6.0f} calls/s, {each:5.2f} ms of processor time a call", flush=True)


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser("python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    print(stack.machine())
    with tempfile.TemporaryDirectory(prefix="galw-scale-") as folder:
        server = PostgresServer(Path(folder) / "postgres", embedded_install())
        server.start()
        server.wait_ready()
        try:
            uvloop.run(run(server, options.sizes))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
