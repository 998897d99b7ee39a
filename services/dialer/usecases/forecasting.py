"""What a launch would bring, computed in a process of its own so that calls never wait for it."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, pstdev
from typing import Any
from uuid import UUID

from services.dialer.domain.attempts import Attempt, Outcome
from services.dialer.domain.campaigns import Missing
from services.dialer.domain.pacing import Mode
from services.dialer.ports import MarketingStore
from services.dialer.usecases.campaigns import MayEverCall, list_missing
from services.runtime.errors import UnavailableError

NEWEST = UUID(int=2**128 - 1)
READ_ATTEMPTS = 1_000
TIMEOUT_S = 120.0
# Who is about to launch waits no longer than this; without a forecast the launch goes on.
CHECK_TIMEOUT_S = 20.0
_ALL_OPERATORS = 1_000
_ANSWERED = frozenset((Outcome.ANSWERED, Outcome.ABANDONED))
# One at a time: a forecast keeps a core busy for some seconds.
_ONE = asyncio.Semaphore(1)


@dataclass(frozen=True, slots=True)
class LaunchForecast:
    """When a launch would end, give or take, and how the floor would be; shares from 0 to 1."""

    launch_at: datetime
    operators: int
    lines: int
    finished_at: datetime
    plus_minus: timedelta
    occupancy: float
    abandoned: float
    rests_on_lines: int

    def sentence(self) -> str:
        """Say it as marketing reads it."""
        history = f"from {self.rests_on_lines} lines of its own" if self.rests_on_lines else "without any history yet"
        return (
            f"If we launch at {self.launch_at:%H:%M} with {self.operators} operators: finished by"
            f" {self.finished_at:%Y-%m-%d %H:%M} ± {round(self.plus_minus.total_seconds() / 60)} min of calling,"
            f" {100 * self.occupancy:.0f} % occupancy, {100 * self.abandoned:.1f} % abandoned ({history})"
        )


def history_of(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return what ended attempts say about lines and conversations; what they do not say keeps its cautious guess."""
    rang = [one for one in attempts if one.dialed_at is not None and one.outcome is not None and one.outcome.rang]
    answered = [one for one in rang if one.outcome in _ANSWERED]
    history: dict[str, Any] = {"lines": len(rang)}
    if rang:
        history["answer_rate"] = len(answered) / len(rang)
    for name, spans in (
        ("ring_s", [(one.dialed_at, one.answered_at) for one in answered]),
        ("other_s", [(one.dialed_at, one.ended_at) for one in rang if one.outcome not in _ANSWERED]),
        ("talk_s", [(one.connected_at, one.ended_at) for one in answered]),
    ):
        seconds = [(end - begin).total_seconds() for begin, end in spans if begin is not None and end is not None]
        if len(seconds) >= 5:
            history[name] = max(0.5, fmean(seconds))
            if name == "talk_s":
                history["talk_cv"] = pstdev(seconds) / history[name]
    return history


@dataclass(frozen=True, slots=True)
class LaunchCheck:
    """What a campaign lacks for a launch, and what the launch would bring, or in a sentence why that is not known."""

    missing: Sequence[Missing]
    forecast: LaunchForecast | None
    no_forecast: str | None


async def check_before_launch(
    store: MarketingStore,
    may_ever_call: MayEverCall,
    campaign_id: UUID,
    operators: int | None,
    launch_at: datetime,
    leads: int | None,
) -> LaunchCheck:
    """Check a campaign before its launch: *operators* are those of its pool unless given, *leads* those waiting."""
    campaign = await store.load_campaign(campaign_id)
    missing = await list_missing(store, campaign, may_ever_call, launch_at)
    if operators is None:
        everybody = await store.list_operators(("", UUID(int=0)), _ALL_OPERATORS)
        operators = sum(operator.pool_id == campaign.pool_id for operator in everybody)
    leads = await _leads(store, campaign_id, launch_at) if leads is None else leads
    if campaign.plan.mode is Mode.AGENTLESS:
        return LaunchCheck(missing, None, "Without operators only lines and hours bound the campaign.")
    if not operators:
        return LaunchCheck(missing, None, "The pool has no operators yet; say how many there will be.")
    if not leads:
        return LaunchCheck(missing, None, "No lead waits yet; say how many there will be.")
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            found = await forecast_launch(store, campaign_id, operators, launch_at, leads)
    except TimeoutError:
        return LaunchCheck(missing, None, "The machine is too busy for a forecast now.")
    except UnavailableError as error:
        return LaunchCheck(missing, None, error.message)
    return LaunchCheck(missing, found, None)


async def forecast_launch(
    store: MarketingStore, campaign_id: UUID, operators: int, launch_at: datetime, leads: int | None
) -> LaunchForecast:
    """Forecast a campaign's launch; *leads* are those waiting unless given. Raises UnavailableError when it fails."""
    campaign = await store.load_campaign(campaign_id)
    history = history_of(await store.list_attempts(campaign_id, NEWEST, READ_ATTEMPTS))
    leads = await _leads(store, campaign_id, launch_at) if leads is None else leads
    steps = [step.max_attempts for step in campaign.plan.cadence if step.kind == "call"]
    question = {
        "history": history,
        "launch": {
            "operators": operators,
            "mode": str(campaign.plan.mode),
            "ratio": campaign.plan.ratio,
            "cap": campaign.plan.pacing_cap,
        },
        "leads": leads,
        "most_attempts": max(1, sum(steps)),
    }
    found = await _ask(question)
    ends = found["finished_s"]
    return LaunchForecast(
        launch_at=launch_at,
        operators=operators,
        lines=found["lines"],
        finished_at=launch_at + timedelta(seconds=ends["mean"]),
        plus_minus=timedelta(seconds=round(ends["half"])),
        occupancy=found["occupancy"]["mean"],
        abandoned=found["share"]["mean"],
        rests_on_lines=found["rests_on_lines"],
    )


async def _leads(store: MarketingStore, campaign_id: UUID, at: datetime) -> int:
    rows, _ = await store.load_progress(campaign_id, at, at)
    return sum(row["leads"] for row in rows if row["state"] == "waiting")


async def _ask(question: dict[str, Any]) -> dict[str, Any]:
    async with _ONE:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.simulator.forecast",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                out, _ = await process.communicate(json.dumps(question).encode())
        except TimeoutError:
            raise UnavailableError("The forecast took too long; ask again when the machine is less busy.") from None
        finally:
            # Also when whoever asked has gone: nobody else would end it.
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        raise UnavailableError("The forecast failed; the log of the process tells why.")
    return json.loads(out)
