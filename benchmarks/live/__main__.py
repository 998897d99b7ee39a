"""A thousand operators connected to the standalone mode at once: memory, processor, and how soon an answer is told.

python -m benchmarks.live [--operators 1000] [--seconds 20] [--calls 40]
"""

import argparse
import asyncio
import subprocess
import sys
import time
from typing import Any

import aiohttp
import asyncpg
import orjson
import uvloop

from benchmarks import stack
from benchmarks.campaign import QUESTION, TRUNK, Client, import_people, launch, make_campaign, make_floor
from benchmarks.lifecycles.__main__ import print_quantiles, read_answers
from services.runtime.identity.principal import Role
from services.runtime.ids import new_id
from services.standalone.children import Footprint

SETTLING_S = 10.0
"""Everybody became ready at once; what is measured is a shift, not its first seconds."""

PARTS = ("services", "postgres", "broker", "supervisor")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.live")
    parser.add_argument("--operators", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each state is watched")
    parser.add_argument("--calls", type=int, default=40, help="calls a second; three of ten are answered")
    parser.add_argument("--at-once", type=int, default=50, help="operators who sign in at the same moment")
    return parser.parse_args()


async def watch(running: stack.Stack, seconds: float, what: str) -> dict[str, Footprint]:
    """Print what the parts cost while nothing else is done, and return it."""
    before, began = running.costs(), time.monotonic()
    await asyncio.sleep(seconds)
    after, spent_s = running.costs(), time.monotonic() - began
    costs = {
        name: Footprint(after[name].memory_bytes, (after[name].cpu_s - before[name].cpu_s) / spent_s) for name in after
    }
    words = ", ".join(f"{name} {costs[name].memory_bytes / 1e6:.0f} MB {costs[name].cpu_s:.1%}" for name in PARTS)
    print(f"{what}: {words} of a core", flush=True)
    return costs


def print_each(before: dict[str, Footprint], after: dict[str, Footprint], operators: int, what: str) -> None:
    """Print what each operator adds."""
    memory = sum(after[name].memory_bytes - before[name].memory_bytes for name in PARTS) / operators
    cpu = sum(after[name].cpu_s - before[name].cpu_s for name in PARTS) / operators
    print(f"  each operator {what}: {memory / 1000:.1f} KB, {cpu * 1e6:.0f} millionths of a core", flush=True)


async def measure(running: stack.Stack, options: argparse.Namespace) -> None:
    people = {new_id(): (f"Operator {n}", Role.OPERATOR) for n in range(options.operators)}
    boss = new_id()
    tokens = await stack.sign_in(running, {boss: ("Boss", Role.ADMIN), **people})
    async with aiohttp.ClientSession(trust_env=False) as session:
        admin = Client(session, running.url, tokens[boss])
        await import_people(admin, int(options.calls * (options.seconds + 2 * SETTLING_S) * 1.5))
        await make_floor(admin)
        limits = {"calls_per_second": str(options.calls), "channels": 2000, "countries": ["GB"]}
        await admin.request("PUT", f"/api/dialer/trunks/{TRUNK}", limits)
        campaign = await make_campaign(admin, "Benchmark")
        await asyncio.sleep(3)
        empty = await watch(running, options.seconds, "nobody connected")
        load = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.live.operators"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        order = {"url": running.url, "tokens": [tokens[who] for who in people], "at_once": options.at_once}
        began = time.monotonic()
        await asyncio.to_thread(tell, load, order)
        said = await asyncio.to_thread(hear, load)
        took_s = time.monotonic() - began
        print(
            f"{said['connected']} operators connected in {took_s:.1f} s, {said['sent_away']} told to try later",
            flush=True,
        )
        await asyncio.sleep(2)
        idle = await watch(running, options.seconds, "all connected, no calls")
        print_each(empty, idle, options.operators, "who waits")
        await launch(admin, campaign)
        await asyncio.to_thread(tell, load, {"answers": {QUESTION: "yes"}})
        await enrolled(running, said["connected"])
        await asyncio.sleep(SETTLING_S)
        started = time.time()
        busy = await watch(running, options.seconds, f"all ready, {options.calls} calls a second")
        print_each(empty, busy, options.operators, "with calls")
        ended = time.time()
        assert load.stdin is not None
        load.stdin.close()
        told = await asyncio.to_thread(hear, load)
        report(running, told, started, ended)
        load.wait(10)


def report(running: stack.Stack, told: dict[str, Any], started: float, ended: float) -> None:
    """Print how long it took from the answer, by the carrier's ledger, until the operator's WebSocket told of it."""
    answered = read_answers(running.folder / "carrier" / "ledger.jsonl")
    waits = [
        (told["shown"][call] - at) * 1000
        for call, at in answered.items()
        if call in told["shown"] and started < at < ended
    ]
    print_quantiles("answer to operator notified over the WebSocket", waits)
    unseen = sum(started < at < ended - 1 and call not in told["shown"] for call, at in answered.items())
    print(f"  answers nobody was told of: {unseen}; lines lost: {len(told['lost'])} {told['lost'][:1]}")


async def enrolled(running: stack.Stack, operators: int) -> None:
    """Return when everybody is ready and calls have begun."""
    connection = await asyncpg.connect(running.database_url)
    query = "SELECT count(*) FROM dialer.operators WHERE state IN ('ready', 'talking', 'wrap_up', 'reserved')"
    while await connection.fetchval(query) < operators:
        await asyncio.sleep(0.2)
    while not await connection.fetchval("SELECT count(*) FROM dialer.attempts WHERE answered_at IS NOT NULL"):
        await asyncio.sleep(0.2)
    await connection.close()


def tell(load: "subprocess.Popen[bytes]", order: dict[str, Any]) -> None:
    assert load.stdin is not None
    load.stdin.write(orjson.dumps(order) + b"\n")
    load.stdin.flush()


def hear(load: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert load.stdout is not None
    line = load.stdout.readline()
    if not line:
        raise SystemExit("The operators' process ended early.")
    return orjson.loads(line)


def main() -> None:
    """Run against a Galw of its own."""
    options = parse_arguments()
    print(stack.machine())
    with stack.running(demo="false", carrier_profile="benchmark") as running:
        uvloop.run(measure(running, options))


if __name__ == "__main__":
    main()
