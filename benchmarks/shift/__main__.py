"""An hour on predictive: `python -m benchmarks.shift`, or `--minutes 15` as in `make verify`.

A whole Galw on embedded PostgreSQL and broker, the simulated carrier at the pace of life, operators over the live
WebSocket and their API. The abandonment is counted by the carrier's ledger: who picked up and met nobody in time. The
same shift is simulated many times, and what was measured must lie where 99.9 % of simulated shifts do.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncpg
import uvloop

from benchmarks import stack
from benchmarks.campaign import QUESTION, Client, import_people, launch, make_campaign, make_floor
from benchmarks.shift.operators import Floor
from services.carrier.judge import Meetings, judge, meetings
from services.carrier.ledger import parse_lines
from services.dialer.domain.pacing import Pacer
from services.runtime.identity.principal import Role
from services.runtime.ids import new_id
from services.simulator.floor import Day, simulate
from services.simulator.scenario import CampaignPlan, OperatorPlan, OtherEnd, Scenario, Spread, level

PEOPLE = Path(__file__).with_name("people.toml")
CAP = 0.03
WAIT_S = 2.0
# A signal passes several loops on its way: who by the carrier's clock met an operator within this met one in time.
SLACK_S = 0.3
WRAP_UP_S = 5.0
# A burst takes two before they are earned.
ALLOWED_AHEAD = 2
SIMULATED = 20
# Of the normal distribution, 99.9 % lies within this; more for a spread that is itself an estimate.
WITHIN = 3.7


def scenario(operators: int, minutes: float) -> Scenario:
    """Return the simulator's picture of the shift: the profile in `people.toml`, and what loops take."""
    return Scenario(
        hours=minutes / 60.0,
        operators=(OperatorPlan(count=operators),),
        campaigns=(
            CampaignPlan(
                answer=level(0.35),
                ring=Spread(10.0, 0.39),
                others=(OtherEnd(weight=0.55, ring=Spread(25.5, 0.0)), OtherEnd("busy", 0.1, Spread(0.6, 0.0))),
                talk=Spread(50.0 * 1.197, 0.658, "lognormal"),
                wrapup=Spread(WRAP_UP_S + 0.1, 0.0),
            ),
        ),
    )


async def work(running: stack.Stack, operators: int, minutes: float) -> Meetings:
    """Let everybody work for so long; return what the carrier's ledger says."""
    boss, people = new_id(), {new_id(): (f"Operator {n}", Role.OPERATOR) for n in range(operators)}
    leads = int(operators * minutes * 4) + 200

    async def tokens() -> dict[UUID, str]:
        return await stack.sign_in(running, people)

    boss_token = (await stack.sign_in(running, {boss: ("Boss", Role.ADMIN)}))[boss]
    async with aiohttp.ClientSession(trust_env=False) as session:
        admin = Client(session, running.url, boss_token)
        await import_people(admin, leads)
        await make_floor(admin)
        campaign = await make_campaign(admin, "Shift", mode="predictive", pacing_cap=CAP)
        await launch(admin, campaign)
        database = await asyncpg.connect(running.database_url)
        while await database.fetchval("SELECT count(*) FROM dialer.leads") < leads:
            await asyncio.sleep(0.2)
        floor = Floor(running.own_url(running.dialer), session, {QUESTION: "yes"}, WRAP_UP_S)
        began = datetime.now(UTC)
        tasks = [asyncio.ensure_future(floor.work_as(who, token)) for who, token in (await tokens()).items()]
        tasks.append(asyncio.ensure_future(floor.renew(tokens)))
        done, _ = await asyncio.wait(tasks, timeout=minutes * 60.0, return_when=asyncio.FIRST_COMPLETED)
        ended = datetime.now(UTC)
        if done:
            sys.exit(f"an operator's shift ended early: {done.pop().exception()}")
        boss_token = (await stack.sign_in(running, {boss: ("Boss", Role.ADMIN)}))[boss]
        await Client(session, running.url, boss_token).request("POST", f"/api/dialer/campaigns/{campaign}/pause")
        while await database.fetchval("SELECT count(*) FROM dialer.attempts WHERE ended_at IS NULL"):
            await asyncio.sleep(0.5)
        await database.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ledger = running.folder / "carrier" / "ledger.jsonl"
    with ledger.open("rb") as file:
        lines = list(parse_lines(file, str(ledger)))
    if broken := judge(lines):
        sys.exit("; ".join(broken))
    return meetings(lines, began, ended, timedelta(seconds=WAIT_S + SLACK_S))


def compare(found: Meetings, days: list[Day], operators: int, minutes: float) -> list[str]:
    """Print what was measured beside what the simulator says; return what does not agree."""
    seconds = operators * minutes * 60.0
    measured = {
        "conversations": float(found.answered - found.abandoned),
        "talking and wrapping up, %": 100.0
        * (found.talking_s + WRAP_UP_S * (found.answered - found.abandoned))
        / seconds,
        "abandoned, %": 100.0 * found.share,
    }
    whole = [next(iter(day.whole.values())) for day in days]
    simulated = {
        "conversations": [float(tally.connected) for tally in whole],
        "talking and wrapping up, %": [100.0 * day.occupancy for day in days],
        "abandoned, %": [100.0 * tally.share for tally in whole],
    }
    wrong: list[str] = []
    for name, values in simulated.items():
        mean = sum(values) / len(values)
        spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
        print(f"{name:<28} {measured[name]:8.1f}   simulated {mean:8.1f} ± {2.14 * spread:.1f} for 95 % of shifts")
        if name != "abandoned, %" and abs(measured[name] - mean) > WITHIN * spread:
            wrong.append(f"{name}: {measured[name]:.1f}, simulated {mean:.1f} with a spread of {spread:.1f}")
    return wrong


def _end(number: int, frame: object) -> None:
    sys.exit("The shift was ended early.")


def main() -> None:
    """Run the shift, then say what it came to."""
    parser = argparse.ArgumentParser("python -m benchmarks.shift", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--operators", type=int, default=8)
    options = parser.parse_args()
    # So that also a shift in the background, which hears no Ctrl-C, ends what it has started.
    signal.signal(signal.SIGTERM, _end)
    print(stack.machine(), flush=True)
    with stack.running(demo="false", carrier_profile=PEOPLE, log_level="warning") as running:
        began, before = time.monotonic(), stack.footprint(running.pid).cpu_s
        found = uvloop.run(work(running, options.operators, options.minutes))
        cpu = (stack.footprint(running.pid).cpu_s - before) / (time.monotonic() - began)
    print(
        f"{options.operators} operators, {options.minutes:g} minutes, {cpu:.0%} of a core: by the carrier's ledger"
        f" {found.answered} answered, {found.abandoned} met nobody within {WAIT_S + SLACK_S:g} s"
    )
    plan = scenario(options.operators, options.minutes)
    days = [simulate(plan, Pacer(), random.Random(seed)) for seed in range(SIMULATED)]
    wrong = compare(found, days, options.operators, options.minutes)
    if found.abandoned > CAP * found.answered + ALLOWED_AHEAD:
        wrong.append(f"{found.abandoned} of {found.answered} abandoned")
    if wrong:
        sys.exit("; ".join(wrong))


if __name__ == "__main__":
    main()
