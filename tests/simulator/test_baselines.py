"""Each baseline against a number of its source."""

import random
from dataclasses import replace

import pytest

from services.dialer.domain.pacing import Campaign, Event, EventKind, Floor, Operator, OperatorState
from services.simulator import baselines
from services.simulator.baselines.impact import best_ratio, replay
from services.simulator.baselines.ratio import genesys_progressive
from services.simulator.baselines.unicom import predict_lines
from services.simulator.baselines.vicidial import uk_drop_percentage
from services.simulator.floor import simulate
from services.simulator.scenario import OtherEnd, Spread, setting


def test_vicidials_british_example_is_64_percent() -> None:
    assert uk_drop_percentage(drops=29, live=9, machines=7) == pytest.approx(64.44, abs=0.005)


def test_genesys_example_dials_one() -> None:
    assert genesys_progressive(ready=4, queued=0, dialed=1, share_answering=0.7) == 1


def test_unicom_dials_for_those_waiting_and_what_failed_lately() -> None:
    # Four waiting, 150 %, seven failures to three answers: 4 + 4 × 1.5 × 7/3 = 18.
    assert predict_lines(4, 1.5, failed=70, answered=30) == pytest.approx(18.0)
    assert predict_lines(4, 0.0, failed=70, answered=30) == 4.0


def floor(now: float, ready: int, talking: int, events: tuple[Event, ...] = ()) -> Floor:
    operators = [Operator(f"r{i}", OperatorState.READY, 0.0, None, ("a",)) for i in range(ready)]
    operators += [Operator(f"t{i}", OperatorState.TALKING, 0.0, None, ("a",)) for i in range(talking)]
    return Floor(now, tuple(operators), (Campaign("a"),), (), events)


def test_vicidials_ratio_allows_a_constant_predial_and_one_line_per_idle_operator() -> None:
    # Ringing allowed = (level − 1) × operators + idle: 0.5 × 10 + 4 = 9.
    assert baselines.FixedRatio(1.5).decide(floor(0.0, 4, 6)).dial == {"a": 9}


def test_vicidials_level_moves_with_the_share_of_ready_operators() -> None:
    rule = baselines.ViciDial(baselines.Adapt.AVERAGE)
    rule.decide(floor(0.0, 4, 6))
    rule.decide(floor(15.0, 4, 6))
    assert rule.level == pytest.approx(1.4)


@pytest.mark.parametrize(("method", "level"), [("hard_limit", 1.0), ("average", 1.28), ("tapered", 2.56 * 0.7)])
def test_vicidials_methods_differ_when_drops_pass_the_cap(method: str, level: float) -> None:
    rule = baselines.ViciDial(baselines.Adapt(method), closes_s=7 * 3600.0 + 30.0)
    rule.decide(floor(0.0, 6, 4))
    rule.decide(floor(15.0, 6, 4))
    answered = [Event(16.0, "a", EventKind.ANSWERED)] * 60
    dropped = [Event(17.0, "a", EventKind.ABANDONED)] * 3
    rule.decide(floor(30.0, 6, 4, (*answered, *dropped)))
    assert rule.level == pytest.approx(level, rel=1e-3)


def test_impacts_replay_finds_one_line_each_when_everybody_answers() -> None:
    everybody = [(True, 5.0)] * 100
    assert best_ratio(everybody, [60.0], callers=10, target=0.03) <= 1.0
    use, share = replay(everybody, [60.0], callers=10, ratio=1.0)
    assert (share, round(use, 2)) == (0.0, 0.92)  # 60 s of talk for each 5 s of ring


def test_progressive_abandons_nobody_and_is_as_busy_as_its_lines_allow() -> None:
    # An idle operator always has one line, of 0.3 × 10 s + 0.7 × 25 s, and meets somebody on every 1 ÷ 0.3 of them.
    idle_s = (0.3 * 10 + 0.7 * 25) / 0.3
    day = simulate(setting("A", 10, hours=4.0, warmup_s=600.0), baselines.Progressive(), random.Random(1))
    assert day.share == 0.0
    assert day.occupancy == pytest.approx(120 / (120 + idle_s), abs=0.02)


@pytest.mark.long
def test_vicidials_average_with_its_level_found_by_hand_reaches_the_known_occupancy() -> None:
    scenario = setting("A", 20, hours=3.0, warmup_s=1200.0)
    # The source's lines that nobody answers end after 19 s in the mean, as its 68 % for progressive dialing tells.
    plan = replace(scenario.campaigns[0], others=(OtherEnd(ring=Spread(19.0, 0.0)),))
    scenario = replace(scenario, campaigns=(plan,))
    rule = baselines.ViciDial(baselines.Adapt.AVERAGE, most_level=1.2, difference=-1.0)
    day = simulate(scenario, rule, random.Random(2))
    assert day.occupancy == pytest.approx(0.806, abs=0.025)


@pytest.mark.long
def test_perfect_knowledge_reaches_the_known_occupancy_at_the_cap() -> None:
    scenario = setting("A", 10, hours=2.0, warmup_s=1200.0)
    day = simulate(scenario, baselines.Best(scenario.campaigns[0]), random.Random(3))
    assert day.occupancy == pytest.approx(0.835, abs=0.025)
    assert day.share < 0.05
