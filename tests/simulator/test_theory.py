"""The simulator against closed forms, so that it cannot flatter."""

import random

import pytest

from services.dialer.domain.pacing import Decision, Floor
from services.simulator import theory
from services.simulator.floor import Day, simulate
from services.simulator.scenario import CampaignPlan, CapPlan, Curve, OperatorPlan, Scenario, Spread


class OpenLoop:
    """Poisson dialing without a look at the floor."""

    def __init__(self, per_second: float, generator: random.Random) -> None:
        self._rate = per_second
        self._generator = generator
        self._next_at = 0.0

    def decide(self, floor: Floor) -> Decision:
        lines = 0
        while self._next_at <= floor.now:
            self._next_at += self._generator.expovariate(self._rate)
            lines += 1
        return Decision({"a": lines}, next_decision_in_s=self._next_at - floor.now)


def open_loop(servers: int, load: float, wait_s: float, hours: float, seed: int) -> Day:
    """Every line answered after a fixed ring; exponential service of 60 s."""
    scenario = Scenario(
        hours=hours,
        operators=(OperatorPlan(count=servers),),
        campaigns=(CampaignPlan(answer=Curve(((0.0, 1.0),)), ring=Spread(5.0, 0.0), talk=Spread(60.0, 1.0)),),
        caps=(CapPlan(wait_s=wait_s),),
        warmup_s=1800.0,
    )
    return simulate(scenario, OpenLoop(load / 60.0, random.Random(seed)), random.Random(seed + 1))


def test_erlang_b_agrees_with_published_tables() -> None:
    # 5 servers and 2.219 erlangs lose 5 %; 10 servers and 4.461 lose 1 %; 20 and 15.25 lose 5 %.
    assert theory.erlang_b(5, 2.219) == pytest.approx(0.05, abs=2e-4)
    assert theory.erlang_b(10, 4.461) == pytest.approx(0.01, abs=1e-4)
    assert theory.erlang_b(20, 15.25) == pytest.approx(0.05, abs=2e-4)


@pytest.mark.parametrize(("servers", "percent"), [(5, 36), (10, 54), (20, 68), (50, 81), (100, 88)])
def test_an_open_loop_at_three_percent_reaches_the_known_occupancy(servers: int, percent: int) -> None:
    load = theory.erlang_b_load(servers, 0.03)
    assert 100 * load * 0.97 / servers == pytest.approx(percent, abs=0.5)


@pytest.mark.long
@pytest.mark.parametrize(("servers", "load"), [(3, 1.5), (10, 7.0)])
def test_an_open_loop_without_patience_loses_what_erlang_b_says(servers: int, load: float) -> None:
    day = open_loop(servers, load, wait_s=0.0, hours=20.0, seed=7)
    lost = theory.erlang_b(servers, load)
    # Four standard errors of the loss, whose events come in bursts.
    assert day.share == pytest.approx(lost, abs=4 * (3 * lost / day.tallies["a"].answered) ** 0.5)
    assert day.occupancy == pytest.approx(load * (1 - lost) / servers, rel=0.1)


@pytest.mark.long
def test_patient_people_wait_as_long_as_in_m_m_n() -> None:
    day = open_loop(6, 4.2, wait_s=1e9, hours=40.0, seed=11)
    tally = day.tallies["a"]
    assert tally.abandoned == 0
    assert tally.waited_s / tally.answered == pytest.approx(theory.mean_wait_s(6, 4.2, 60.0), rel=0.2)


def test_waits_of_m_m_n_fall_off_exponentially() -> None:
    assert theory.waits_longer(6, 4.2, 60.0, 0.0) == theory.erlang_c(6, 4.2)
    assert theory.waits_longer(1, 0.5, 60.0, 60.0) == pytest.approx(0.5 * 0.6065, abs=1e-4)
