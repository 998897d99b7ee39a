"""Call lifecycles through the whole: `python -m benchmarks.lifecycles`.

A standalone Galw in three processes on embedded PostgreSQL and broker; the simulated carrier rings for 50 ms, 30 % of
people answer and talk for 50 ms; simulated operators in a process of their own close each answered call with one
response. Contacts are imported and enrolled like any others. Beside it, in the same run, stands the floor: see
`floor.py`. Latencies are end to end: from the carrier's own ledger to the operator's WebSocket, and from the CRM's
answer to a refusal until the dialer's database says that the person may not be called.
"""

import argparse
import asyncio
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import uvloop

from benchmarks import stack
from benchmarks.campaign import QUESTION, Client, import_people, launch, make_campaign, make_floor
from services.runtime.identity.principal import Role
from services.runtime.ids import new_id


def percentile(values: list[float], share: float) -> float:
    """Return the value below which *share* of *values* lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def print_quantiles(what: str, values: list[float]) -> None:
    """Print how *values* (milliseconds) are spread."""
    p50, p99, most = percentile(values, 0.5), percentile(values, 0.99), max(values, default=0.0)
    print(f"{what}: {len(values)} times, p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {most:.0f} ms")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.lifecycles", description=__doc__)
    parser.add_argument("--operators", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=8.0)
    parser.add_argument("--people", type=int, default=25_000)
    parser.add_argument("--optouts", type=float, default=5.0, help="opt-outs a second")
    parser.add_argument("--floor-seconds", type=float, default=10.0, help="how long the floor is measured; 0: not")
    parser.add_argument("--profile", help="py-spy's path; writes a profile of each process")
    return parser.parse_args()


async def measure(running: stack.Stack, options: argparse.Namespace) -> None:
    operators = {new_id(): (f"Operator {n}", Role.OPERATOR) for n in range(options.operators)}
    boss = new_id()
    tokens = await stack.sign_in(running, {boss: ("Boss", Role.ADMIN), **operators})
    connection = await asyncpg.connect(running.database_url)
    async with aiohttp.ClientSession(trust_env=False) as session:
        admin = Client(session, running.url, tokens[boss])
        began = time.monotonic()
        await import_people(admin, options.people)
        print(f"imported {options.people:,} people in {time.monotonic() - began:.1f} s", flush=True)
        await make_floor(admin)
        campaign = await make_campaign(admin, "Benchmark")
        began = time.monotonic()
        await launch(admin, campaign)
        while (enrolled := await connection.fetchval("SELECT count(*) FROM dialer.leads")) < options.people:
            await asyncio.sleep(0.2)
        print(f"enrolled {enrolled:,} leads in {time.monotonic() - began:.1f} s", flush=True)
        await asyncio.sleep(1.0)
        order = {
            "url": running.own_url(running.dialer),
            "tokens": [tokens[who] for who in operators],
            "answers": {QUESTION: "yes"},
        }
        bots = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.lifecycles.operators"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert bots.stdin is not None and bots.stdout is not None
        bots.stdin.write(orjson.dumps(order) + b"\n")
        bots.stdin.flush()
        try:
            await asyncio.sleep(options.warm_up)
            rate, batch = await observe(running, options, connection, admin, bots)
        finally:
            bots.stdin.close()
            bots.wait(10)
            await connection.close()
    if options.floor_seconds:
        floor = measure_floor(running, batch, options.floor_seconds)
        print(
            f"floor: {floor['per_second']:.0f} calls/s written and sent in batches of {batch}, {floor['heard']} of"
            f" {floor['calls']} heard; the whole reaches {rate / floor['per_second']:.0%} of it"
        )


def measure_floor(running: stack.Stack, batch: int, seconds: float) -> dict[str, Any]:
    """Run the bare script beside the idle Galw, on the same PostgreSQL and broker."""
    env = running.environment(running.dialer)
    order = {
        "database_url": env["GALW_DATABASE_URL"],
        "kafka_bootstrap": env["GALW_KAFKA_BOOTSTRAP"],
        "batch": batch,
        "seconds": seconds,
    }
    argv = [sys.executable, "-m", "benchmarks.lifecycles.floor"]
    done = subprocess.run(argv, input=orjson.dumps(order) + b"\n", stdout=subprocess.PIPE, check=True)
    return orjson.loads(done.stdout)


def batching(running: stack.Stack) -> tuple[float, float]:
    """Return how many changes the dialer's group commit has stored, in how many transactions."""
    with urllib.request.urlopen(f"{running.own_url(running.dialer)}/metrics", timeout=5) as answer:
        figures = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[:1] != "#")
    return float(figures["dialer_commit_changes_total"]), float(figures["dialer_commits_total"])


COUNTS = """
SELECT clock_timestamp() AS at,
    (SELECT count(*) FROM dialer.attempts WHERE ended_at IS NOT NULL) AS ended,
    (SELECT count(*) FROM dialer.responses) AS responses,
    (SELECT count(*) FROM crm.responses) AS heard,
    (SELECT count(*) FROM crm.timeline WHERE kind = 'call.ended') AS timeline,
    (SELECT coalesce(max(publication), 0) FROM dialer.outbox) AS published,
    (SELECT count(*) FROM dialer.outbox WHERE epoch IS NULL) AS unsent,
    (SELECT sum(xact_commit)::bigint FROM pg_stat_database) AS commits
"""


STEPS = """
SELECT array_agg(extract(epoch FROM dialed_at - reserved_at) * 1000) AS "reserved to dialed",
    array_agg(extract(epoch FROM ended_at - dialed_at) * 1000) FILTER (WHERE answered_at IS NULL)
        AS "dialed to ended, not answered",
    array_agg(extract(epoch FROM answered_at - dialed_at) * 1000) FILTER (WHERE answered_at IS NOT NULL)
        AS "dialed to answered",
    array_agg(extract(epoch FROM connected_at - answered_at) * 1000) FILTER (WHERE connected_at IS NOT NULL)
        AS "answered to connected"
FROM (SELECT * FROM dialer.attempts WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1000) AS newest
"""


async def observe(
    running: stack.Stack, options: argparse.Namespace, connection: Any, admin: Client, bots: subprocess.Popen[bytes]
) -> tuple[float, int]:
    """Watch for the given time, print the figures, and return calls a second and changes a transaction."""
    spies: list[subprocess.Popen[bytes]] = []
    if options.profile:
        for name, pid in {**running.processes(), "operators": bots.pid}.items():
            if name in ("dialer", "crm", "notifier", "carrier", "operators"):
                argv = [options.profile, "record", "-d", str(int(options.seconds)), "-r", "100", "-f", "raw", "-o"]
                spies.append(
                    subprocess.Popen(
                        [*argv, f"/tmp/profile-{name}.txt", "-p", str(pid)],
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                    )
                )
    stored = batching(running)
    before, costs = await connection.fetchrow(COUNTS), running.costs()
    bot_cost = stack.footprint(bots.pid).cpu_s
    optouts = await asyncio.create_task(opt_out(running, options, admin))
    after, costs_after = await connection.fetchrow(COUNTS), running.costs()
    bot_cost = stack.footprint(bots.pid).cpu_s - bot_cost
    batch = [now - then for now, then in zip(batching(running), stored, strict=True)]
    for spy in spies:
        spy.wait(30)
    seconds = (after["at"] - before["at"]).total_seconds()
    rates = {
        name: (after[name] - before[name]) / seconds
        for name in ("ended", "responses", "heard", "timeline", "published", "commits")
    }
    assert bots.stdin is not None and bots.stdout is not None
    bots.stdin.close()
    told = orjson.loads(bots.stdout.read())
    answered = await asyncio.to_thread(read_answers, running.folder / "carrier" / "ledger.jsonl")
    waits = [
        (told["shown"][call] - at) * 1000
        for call, at in answered.items()
        if call in told["shown"] and at > before["at"].timestamp()
    ]
    print(f"{seconds:.1f} s: " + ", ".join(f"{name} {rate:.1f}/s" for name, rate in rates.items()))
    print(f"unsent {before['unsent']} -> {after['unsent']}; behind in crm {after['ended'] - after['timeline']}")
    spent = {name: cost.cpu_s - costs[name].cpu_s for name, cost in costs_after.items()} | {"operators": bot_cost}
    ended = max(1, after["ended"] - before["ended"])
    print(f"  {'process':<10} {'of a core':>10} {'ms a call':>10}")
    for name, cpu_s in spent.items():
        print(f"  {name:<10} {cpu_s / seconds:>10.0%} {cpu_s / ended * 1000:>10.2f}")
    print(f"  {'all':<10} {sum(spent.values()) / seconds:>10.0%} {sum(spent.values()) / ended * 1000:>10.2f}")
    print_quantiles("answer to operator notified", waits)
    print_quantiles("opt-out to no longer dialable", optouts)
    for what, milliseconds in (await connection.fetchrow(STEPS)).items():
        print_quantiles(what, [float(one) for one in milliseconds])
    print(f"commands {told['commands']}, refused {told['refused']}")
    outcomes = await connection.fetch("SELECT outcome, count(*) FROM dialer.attempts GROUP BY 1 ORDER BY 2 DESC")
    print({row[0]: row[1] for row in outcomes})
    mean = batch[0] / max(1.0, batch[1])
    print(f"{mean:.1f} changes a transaction of the group commit")
    return rates["ended"], max(1, round(mean))


def read_answers(ledger: Path) -> dict[str, float]:
    """Return when each person picked up, by the carrier's own ledger."""
    answers: dict[str, float] = {}
    for line in ledger.read_bytes().splitlines():
        entry = orjson.loads(line)
        if entry["event"] == "answer":
            answers[entry["channel_id"]] = datetime.fromisoformat(entry["at"]).timestamp()
    return answers


LAST_LEADS = """
SELECT contact_id FROM dialer.leads WHERE state = 'waiting' AND stream = 1 ORDER BY next_at DESC, id DESC LIMIT 2000
"""


async def opt_out(running: stack.Stack, options: argparse.Namespace, admin: Client) -> list[float]:
    """Write refusals down at the CRM and return how long each took to count at the dialer, milliseconds."""
    connection = await asyncpg.connect(running.database_url)
    found: list[float] = []
    deadline = time.monotonic() + options.seconds
    try:
        people = await connection.fetch(LAST_LEADS)
        for row in people:
            if (left := deadline - time.monotonic()) <= 0:
                break
            pause = asyncio.create_task(asyncio.sleep(min(left, 1 / options.optouts)))
            found.append(await one_opt_out(connection, admin, row["contact_id"]))
            await pause
        await asyncio.sleep(max(0.0, deadline - time.monotonic()))
    finally:
        await connection.close()
    return found


async def one_opt_out(connection: Any, admin: Client, contact_id: UUID) -> float:
    body = {"change": "withdrawn", "channel": "voice", "source": "benchmark"}
    key = {"Idempotency-Key": f"benchmark-{contact_id}"}
    await admin.request("POST", f"/api/crm/contacts/{contact_id}/consents", body, headers=key)
    told = time.monotonic()
    while True:
        suppressed = await connection.fetchval(
            "SELECT suppressed_at IS NOT NULL FROM dialer.people WHERE contact_id = $1", contact_id
        )
        if suppressed:
            return (time.monotonic() - told) * 1000
        await asyncio.sleep(0.005)


def main() -> None:
    options = parse_arguments()
    print(stack.machine())
    with stack.running(processes=3, demo="false", carrier_profile="benchmark", log_level="warning") as running:
        print(f"ready in {running.ready_s:.1f} s")
        uvloop.run(measure(running, options))


if __name__ == "__main__":
    main()
