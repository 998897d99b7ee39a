"""`kill -9` in the middle of a running campaign, on real processes, from one seed.

    python -m tests.chaos.loop --seed 1 --minutes 2 --broker kafka --postgres pg15

Two dialers, the CRM, the notifier, the broker and PostgreSQL are killed in turn, and dialers are frozen as by a long
pause of their machine, while operators work over the API, people say no, and a partner listens. Afterwards the
carrier's own ledger, the CRM's export and the partner must agree that nothing rang twice and nothing was lost. The run
fails, too, when there were too few kills, rings or calls to mean anything.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from aiohttp import ClientSession, ClientTimeout

from services.runtime.logging import configure_logging
from services.standalone.children import free_port
from tests.chaos import verdict
from tests.chaos.cast import HERE, Cast, freeze, kill, serving
from tests.chaos.people import Company
from tests.peers import scratch_folder

WARM_UP_CALLS = 5
"""Conversations before the first kill: the campaign runs, whatever comes then comes in the middle of it."""

WARM_UP_WITHIN_S = 180.0
REST_WITHIN_S = 180.0
FROZEN_S = (4.5, 7.0)
"""Longer than a lease, so that the frozen dialer wakes up as somebody who owns nothing any more."""

PATIENCE_S = 20.0
"""How long a request may take before it counts as lost: a busy machine is no fault of Galw's."""

PROGRESS_WITHIN_S = 10.0
"""How long the next kill waits at most for a response since the last: what never moves cannot be hit in motion."""

STRETCH = 6
"""A run that has too little to show on a busy machine goes on for up to so many times as long as it was asked to."""

RINGS_PER_MINUTE = 24
RESPONSES_PER_MINUTE = 8
KILLS_PER_MINUTE = 8


TARGETS = ("dialer-a", "dialer-b", "crm", "notifier", "broker", "postgres")
FROZEN = "frozen dialer"


@dataclass(slots=True)
class Report:
    """What a run did and what it found."""

    asked_s: float
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter[str])
    rings: int = 0
    met: int = 0
    responses: int = 0
    webhooks: int = 0
    repeated: int = 0
    refusals: int = 0
    ended: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])

    def too_few(self) -> list[str]:
        """Return why the run proves nothing, if so."""
        minutes = self.asked_s / 60
        found = {"rings": self.rings, "responses": self.responses, "kills": self.kills.total()}
        least = {"rings": RINGS_PER_MINUTE, "responses": RESPONSES_PER_MINUTE, "kills": KILLS_PER_MINUTE}
        few = [f"only {n} {what}, which proves nothing" for what, n in found.items() if n < least[what] * minutes]
        spared = {*TARGETS, FROZEN} - set(self.kills)
        return few + [f"{name} was never killed" for name in sorted(spared)]

    def __str__(self) -> str:
        """Say it in a few lines."""
        kills = ", ".join(f"{name} {n}" for name, n in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills and freezes in {self.seconds:.0f} s ({kills})\n"
            f"{self.rings} rings, {self.met} conversations, {self.responses} responses acknowledged, "
            f"{self.refusals} refusals, {self.webhooks} webhooks ({self.repeated} of them repeats); "
            f"services ended by themselves {self.ended.total()} times"
        )


async def run(folder: Path, *, seed: int, seconds: float, broker: str, postgres: str) -> Report:
    """Run one seed on *folder* and return the report."""
    report, rng = Report(asked_s=seconds), random.Random(seed)
    cast = Cast(folder, broker=broker, postgres=postgres, seed=seed)
    async with (
        AsyncExitStack() as stack,
        cast.playing(),
        ClientSession(timeout=ClientTimeout(total=PATIENCE_S)) as session,
    ):
        company = Company(session, cast.urls, cast.postgres.url(), seed)
        await stack.enter_async_context(serving(company.partner.app(), port := free_port()))
        await company.found(f"http://{HERE}:{port}/")
        async with asyncio.TaskGroup() as work:
            tasks = [work.create_task(operator.run()) for operator in company.operators]
            for operator in company.operators:
                operator.start()
            await _wait_for_calls(company)
            refusing = work.create_task(_refuse(company, rng))
            report.seconds = await _torment(cast, company, rng, report)
            refusing.cancel()
            await cast.ready()
            await company.pause()
            report.broken = await _come_to_rest(cast, company)
            for task in tasks:
                task.cancel()
    _count(report, cast, company)
    return report


async def _wait_for_calls(company: Company) -> None:
    async with asyncio.timeout(WARM_UP_WITHIN_S):
        while len(company.promised.dispositions) < WARM_UP_CALLS:  # noqa: ASYNC110 - many things set it
            await asyncio.sleep(0.1)


async def _refuse(company: Company, rng: random.Random) -> None:
    while True:
        await asyncio.sleep(rng.uniform(0.2, 1.0))
        await company.refuse_somebody()


async def _torment(cast: Cast, company: Company, rng: random.Random, report: Report) -> float:
    """Kill one part after another, each as often as the others, in an order that follows from the seed."""
    began, deck = time.monotonic(), list[str]()
    async with asyncio.TaskGroup() as restarts:
        while _goes_on(report, time.monotonic() - began):
            if not deck:
                deck = [*TARGETS, FROZEN]
                rng.shuffle(deck)
            name, dialer = deck.pop(), rng.choice(TARGETS[:2])
            part = cast.part(dialer if name == FROZEN else name)
            if part.child.poll() is None:
                report.kills[name] += 1
                harm = freeze(part, rng.uniform(*FROZEN_S)) if name == FROZEN else kill(part, rng.uniform(0.05, 2.0))
                restarts.create_task(harm)
            await asyncio.sleep(rng.uniform(1.0, 4.0))
            await _progress(company)
            _count(report, cast, company)
    return time.monotonic() - began


def _goes_on(report: Report, passed_s: float) -> bool:
    return passed_s < report.asked_s or (bool(report.too_few()) and passed_s < STRETCH * report.asked_s)


async def _progress(company: Company) -> None:
    before, until = len(company.promised.dispositions), time.monotonic() + PROGRESS_WITHIN_S
    while len(company.promised.dispositions) == before and time.monotonic() < until:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.1)


async def _come_to_rest(cast: Cast, company: Company) -> list[str]:
    """Wait until nothing moves and all has arrived; return what is wrong in the end."""
    deadline = time.monotonic() + REST_WITHIN_S
    while True:
        broken = await _verdict(cast, company)
        if not broken or time.monotonic() > deadline:
            return broken
        await asyncio.sleep(1.0)


async def _verdict(cast: Cast, company: Company) -> list[str]:
    connection = await asyncpg.connect(cast.postgres.url())
    try:
        broken = await verdict.stuck(connection, company.campaign_id)
    finally:
        await connection.close()
    ledger = verdict.read_ledger(cast.ledger)
    broken += verdict.broken_by_rings(ledger, company.promised)
    broken += verdict.lost_responses(await company.export(), company.promised)
    return broken + verdict.missing_webhooks(ledger, company)


def _count(report: Report, cast: Cast, company: Company) -> None:
    ledger = verdict.read_ledger(cast.ledger)
    report.rings = sum(line["event"] == "ring" for line in ledger)
    report.met = sum(line["event"] == "meet" for line in ledger)
    report.responses = len(company.promised.dispositions)
    report.ended = cast.ended
    report.refusals = len(company.promised.refusals)
    report.webhooks = sum(company.partner.heard.values())
    report.repeated = report.webhooks - len(company.partner.heard)


def main() -> int:
    """Run from the command line; 0 when nothing broke, 1 when something did, 2 when too little happened."""
    parser = argparse.ArgumentParser("python -m tests.chaos.loop", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--broker", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--postgres", choices=("embedded", "pg15"), default="embedded")
    parser.add_argument("--folder", type=Path, help="keep ledger and logs here instead of forgetting them")
    asked = parser.parse_args()
    configure_logging("chaos", "error")
    with scratch_folder("chaos") as scratch:
        folder = (asked.folder or scratch).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(KeyboardInterrupt):
            report = asyncio.run(
                run(folder, seed=asked.seed, seconds=asked.minutes * 60, broker=asked.broker, postgres=asked.postgres)
            )
            sys.stdout.write(f"{report}\n")
            for sentence in [*report.broken, *report.too_few()]:
                sys.stdout.write(f"  {sentence}\n")
            return 1 if report.broken else 2 if report.too_few() else 0
    return 130


if __name__ == "__main__":
    sys.exit(main())
