"""The running dialer on predictive against the simulated carrier, in virtual time; the carrier's ledger counts.

`GALW_SHIFT_HOURS=8 .venv/bin/pytest tests/dialer/simulation/test_predictive_shift.py` runs a whole day.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog

from services.carrier.judge import meetings
from services.carrier.people import People
from services.carrier.profile import parse_profile
from services.carrier.switch import Switch
from services.dialer.domain import operators as rules
from services.dialer.domain.campaigns import CampaignState, Plan
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.pacing import Mode, Pacer
from services.dialer.usecases import commands
from services.dialer.usecases.wrapup import Closing
from services.runtime.errors import GalwError
from services.simulator.floor import simulate
from services.simulator.scenario import CampaignPlan, OperatorPlan, OtherEnd, Scenario, Spread, level
from tests.dialer import floor
from tests.dialer.simulation.loop import START, VirtualLoop
from tests.dialer.simulation.world import Instance, World
from tests.fakes.gate import OneRuleGate

HOURS = float(os.environ.get("GALW_SHIFT_HOURS", "0.5"))
OPERATORS = 8
ANSWERED = 0.35
TALK_S = 60.0
WRAP_UP_S = 5.0
WAIT_S = 2.0
# Signals travel by way of several loops: what the carrier saw within this is within the rule's two seconds.
SIGNAL_SLACK_S = 0.3

PEOPLE = parse_profile(
    {
        "times": {
            "setup_s": 0.5,
            "ring_mean_s": 9.5,
            "ring_limit_s": 40.0,
            "talk_median_s": TALK_S,
            "talk_sigma": 0.6,
            "patience_min_s": 8.0,
        },
        "people": [{"answer": ANSWERED, "busy": 0.1, "invalid": 0.03}],
    },
    "shift",
)


class Shift(World):
    """A calm floor: one dialer, enough leads, operators who do nothing but work."""

    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        """Lay out a predictive campaign and everybody in it."""
        super().__init__(seed, loop)
        self.switch = Switch(loop, self.clock.now, People(seed, PEOPLE.odds_of), self.ledger.append, seed=seed)

    def _lay_out(self) -> None:
        super()._lay_out()
        self.gate = OneRuleGate()
        trunk = self.db.trunks["main"]
        trunk.interval, trunk.channels = timedelta(milliseconds=20), 100
        plan = self.campaign.plan
        self.campaign = replace(
            self.campaign,
            plan=Plan(mode=Mode.PREDICTIVE, caller_ids=plan.caller_ids, max_lines=50),
        )
        self.db.campaigns[self.campaign.id] = self.campaign
        self.db.leads.clear()
        self.db.operators.clear()
        self.pool = replace(self.pool, wrap_up_limit_s=60)
        self.db.pools[self.pool.id] = self.pool
        for n in range(int(2_000 * HOURS)):
            phone = Phone(floor.phone_number(n), f"digest-{n}", "mobile", "GB")
            lead_id = self.new_id()
            person = Person(name="P")
            self.db.leads[lead_id] = Lead(
                lead_id,
                self.campaign.id,
                self.new_id(),
                LeadState.WAITING,
                person,
                (phone,),
                0,
                Stream.FRESH,
                START,
                1,
            )
        for _ in range(OPERATORS):
            operator = Operator(self.new_id(), "Op", self.pool.id, OperatorState.OFFLINE, START, 1)
            self.db.operators[operator.id] = operator

    async def run(self) -> None:
        """Work for the hours, then pause and let the last calls end."""
        instance = Instance(self)
        self.instances.append(instance)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(instance.run())
            fresh = tasks.create_task(self._freshen())
            workers = [tasks.create_task(self._work(instance, one)) for one in sorted(self.db.operators)]
            self.calm = True
            await asyncio.sleep(HOURS * 3600.0)
            campaign = self.db.campaigns[self.campaign.id]
            self.db.campaigns[campaign.id] = replace(campaign, state=CampaignState.PAUSED, version=campaign.version + 1)
            await asyncio.sleep(400.0)
            self.over = True
            for task in (fresh, *workers):
                task.cancel()
            instance.life.dead.set()
            await running

    async def _work(self, instance: Instance, operator_id: Any) -> None:
        desk = instance.desk()
        while not self.over:
            await asyncio.sleep(0.25)
            with suppress(GalwError):
                operator = self.db.operators[operator_id]
                if operator.instance_id != instance.id:
                    await commands.connection(desk, operator_id, instance.id)
                elif operator.state in (OperatorState.OFFLINE, OperatorState.PAUSED):
                    await commands.command(desk, operator_id, operator.version, rules.MakeReady())
                elif operator.state is OperatorState.WRAP_UP and operator.attempt_id is not None:
                    await asyncio.sleep(WRAP_UP_S)
                    operator = self.db.operators[operator_id]
                    if operator.attempt_id is not None:
                        closing = Closing("completed", answers={"served": "no"})
                        await commands.close(desk, operator_id, operator.attempt_id, operator.version, closing)


def work(seed: int) -> Shift:
    loop = VirtualLoop()
    shift = Shift(seed, loop)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(shift.run())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return shift


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_shift_keeps_the_cap_by_the_carriers_ledger_and_agrees_with_the_simulator(
    record_property: Callable[[str, object], None],
) -> None:
    shift = work(3)
    found = meetings(shift.ledger, START, shift.clock.now(), timedelta(seconds=WAIT_S + SIGNAL_SLACK_S))
    answered, abandoned, talking_s = found.answered, found.abandoned, found.talking_s
    record_property("shift", f"{answered} answered, {abandoned} abandoned, talking {talking_s:.0f} s")
    assert answered > 60 * HOURS * OPERATORS / 4, "so few answers prove nothing"
    # The first abandonment may come before it is earned; a burst takes two at once.
    assert abandoned <= 0.03 * answered + 2
    assert talking_s > 0.55 * OPERATORS * HOURS * 3600.0  # one line each would reach about half
    scenario = Scenario(
        hours=HOURS,
        operators=(OperatorPlan(count=OPERATORS),),
        campaigns=(
            CampaignPlan(
                answer=level(ANSWERED),
                ring=Spread(10.0, 0.41),
                others=(OtherEnd(weight=0.8, ring=Spread(25.5, 0.0)), OtherEnd("busy", 0.2, Spread(1.0, 0.5))),
                talk=Spread(TALK_S * 1.197, 0.66, "lognormal"),
                wrapup=Spread(WRAP_UP_S + 0.3, 0.0),
            ),
        ),
    )
    days = [simulate(scenario, Pacer(), random.Random(seed)) for seed in range(5)]
    talked = [sum(tally.connected for tally in day.whole.values()) for day in days]
    mean = sum(talked) / len(talked)
    spread = max(5.0, (sum((one - mean) ** 2 for one in talked) / 4) ** 0.5)
    assert abs(answered - abandoned - mean) < 4.0 * spread
