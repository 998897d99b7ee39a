"""How long it takes to find a campaign's next leads and to say why none is called, at a thousand and at a million.

python -m benchmarks.leads [--leads 1000000] [--data FOLDER]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.stack import machine
from services.dialer.app import PACKAGES, SCHEMA
from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.leads import Stream
from services.dialer.domain.obstacles import steps_from
from services.dialer.packloader import load_packs
from services.dialer.ports import Pool
from services.dialer.store.campaigns import CampaignStore
from services.dialer.store.obstacles import CountingStore
from services.dialer.usecases.obstacles import Explaining, PackOutlook
from services.runtime import postgres
from services.runtime.ids import new_id
from services.runtime.outbox import OutboxSignal
from services.standalone.children import footprint
from services.standalone.postgres import PostgresServer, embedded_install

NEXT = 500
AT = datetime(2026, 11, 25, 17, tzinfo=UTC)
"""Wednesday afternoon in London, noon in New York: some may be called and some not."""

_FILL = """
WITH people AS (
    INSERT INTO people (contact_id) SELECT gen_random_uuid() FROM generate_series(1, $2) RETURNING contact_id
), numbered AS (
    SELECT contact_id, row_number() OVER () AS n FROM people
)
INSERT INTO leads (
    id, campaign_id, contact_id, state, result, person, phones, priority, stream, next_at, held_by, enrolled_at
)
SELECT gen_random_uuid(), $1, contact_id,
    CASE WHEN n % 10 = 9 THEN 'finished' ELSE 'waiting' END, CASE WHEN n % 10 = 9 THEN 'reached' END,
    jsonb_build_object(
        'name', 'Person ' || n, 'country', CASE WHEN n % 2 = 0 THEN 'GB' ELSE 'US' END, 'language', 'en',
        'attributes', jsonb_build_object('product', 'Fibre 500', 'city', 'Aberystwyth', 'customer_id', 'C' || n)
    ),
    jsonb_build_array(jsonb_build_object(
        'e164', CASE WHEN n % 2 = 0 THEN '+4474' ELSE '+1212' || 2 END || lpad((n % 1000000)::text, 6, '0'),
        'digest', md5(n::text) || md5(n::text), 'kind', 'mobile', 'country', CASE WHEN n % 2 = 0 THEN 'GB' ELSE 'US' END
    )),
    n % 3, CASE WHEN n % 10 < 6 THEN 1 ELSE 2 END,
    $3::timestamptz + CASE WHEN n % 10 < 6 THEN interval '-1 hour' ELSE random() * interval '2 days' END,
    CASE n % 10 WHEN 6 THEN 'gate.hours' WHEN 7 THEN 'retry_delay' WHEN 8 THEN 'gb.consent' END, $3
FROM numbered
"""


async def fill(pool: postgres.Pool, campaigns: CampaignStore, leads: int) -> UUID:
    """Make a running campaign with so many leads: six of ten due, three put off, one done; return its id."""
    pools = await campaigns.list_pools()
    room = pools[0] if pools else Pool(uuid4(), "main", 60, 10, 60)
    if not pools:
        await campaigns.insert_pool(room)
    plan = Plan(caller_ids=("+442079460999",))
    campaign = Campaign(uuid4(), _name(leads), CampaignState.DRAFT, room.id, plan, 1, AT)
    await campaigns.insert_campaign(campaign, None, ())
    async with pool.acquire() as conn:
        await conn.execute("SET statement_timeout = 0")
        await conn.execute("UPDATE campaigns SET state = 'running' WHERE id = $1", campaign.id)
        for start in range(0, leads, 100_000):
            await conn.execute(_FILL, campaign.id, min(100_000, leads - start), AT, timeout=600)
        await conn.execute("VACUUM ANALYZE leads", timeout=600)
    return campaign.id


class Meter:
    """Prints how long something takes, and the processor time it costs us and PostgreSQL, whoever else is busy."""

    def __init__(self, server_pid: int) -> None:
        """Measure against the server of that process."""
        self._server_pid = server_pid

    async def measure(self, name: str, times: int, run: Callable[[], Awaitable[object]]) -> None:
        """Print median and worst of *times* runs, after one to warm up, and the processor time of each."""
        await run()
        spans: list[float] = []
        cpu_s = self._cpu_s()
        for _ in range(times):
            began = time.perf_counter()
            await run()
            spans.append((time.perf_counter() - began) * 1000)
        cpu_ms = (self._cpu_s() - cpu_s) * 1000 / times
        print(f"  {name:<46} {statistics.median(spans):9.1f} ms {max(spans):9.1f} ms {cpu_ms:9.1f} ms", flush=True)

    def _cpu_s(self) -> float:
        return time.process_time() + footprint(self._server_pid).cpu_s


async def nobody(pool_id: UUID) -> str | None:
    """No owner is there to be asked."""
    return None


async def measure_campaign(meter: Meter, store: CountingStore, campaigns: CampaignStore, campaign_id: UUID) -> None:
    """Measure everything about one campaign."""
    packs = load_packs([])
    explaining = Explaining(store, PackOutlook(lambda: packs), nobody)

    async def next_leads() -> object:
        return await store.list_due_leads(campaign_id, Stream.FRESH, AT, NEXT)

    async def held() -> object:
        return await store.count_held(campaign_id, AT, steps_from(AT))

    async def done() -> object:
        return await store.count_done(campaign_id)

    async def progress() -> object:
        return await campaigns.load_progress(campaign_id, AT, AT - timedelta(days=1))

    async def why() -> object:
        return await explaining.why(campaign_id, AT)

    await meter.measure(f"the next {NEXT} leads", 50, next_leads)
    await meter.measure("leads by what holds them and until when", 7, held)
    await meter.measure("leads that are done, by result", 7, done)
    await meter.measure("progress of the campaign", 7, progress)
    await meter.measure("why is nobody being called, with the chart", 7, why)


async def bench(url: str, leads: int, meter: Meter) -> None:
    """Measure at a thousand leads and at *leads*; campaigns that are there already are used again."""
    await postgres.migrate(url, SCHEMA, PACKAGES)
    pool = await postgres.create_pool(url, SCHEMA, max_size=4, application_name="benchmark")
    signal = OutboxSignal()
    campaigns, store = CampaignStore(pool, new_id, signal), CountingStore(pool, new_id, signal)
    known = {one.name: one.id for one in await campaigns.list_campaigns(UUID(int=2**128 - 1), 100)}
    filled = {count: known.get(_name(count)) or await fill(pool, campaigns, count) for count in (1_000, leads)}
    print(machine())
    for count, campaign_id in filled.items():
        print(f"{_name(count):<48} {'median':>12} {'worst':>12} {'processor':>12}")
        await measure_campaign(meter, store, campaigns, campaign_id)
    await pool.close()


def _name(leads: int) -> str:
    return f"{leads:,} leads"


def main() -> None:
    """Run on an embedded PostgreSQL of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leads")
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, help="keep the filled database in this folder, for another run")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="galw-leads-")))
        folder.mkdir(exist_ok=True)
        server = PostgresServer(folder / "postgres", embedded_install())
        server.start()
        stack.callback(server.stop)
        server.wait_ready()
        asyncio.run(bench(server.url(), options.leads, Meter(server.child.pid)))


if __name__ == "__main__":
    main()
