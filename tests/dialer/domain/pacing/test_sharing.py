"""Campaigns that share operators and have a cap each: lines go by priority and urgency, whoever has more in hand."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dialer.domain.pacing import Campaign, Cap, Event, EventKind, Floor, Mode, Operator, OperatorState, Pacer
from services.simulator.floor import Day, simulate
from services.simulator.scenario import CampaignPlan, CapPlan, OperatorPlan, Scenario

NOW = 9_000.0


def shared_day(priorities: dict[str, float], operators: int, hours: float, seed: int) -> Day:
    """Simulate a pool that serves all campaigns, each under three percent of its own."""
    names = tuple(priorities)
    scenario = Scenario(
        hours=hours,
        operators=(OperatorPlan(count=operators, campaigns=names),),
        campaigns=tuple(CampaignPlan(name, priority=priority) for name, priority in priorities.items()),
        caps=tuple(CapPlan((name,)) for name in names),
    )
    return simulate(scenario, Pacer(), random.Random(seed))


@pytest.mark.parametrize("seed", [1, 2])
def test_campaigns_of_equal_priority_meet_equally_many_people(seed: int) -> None:
    answered = [tally.answered for tally in shared_day(dict.fromkeys("abcdef", 1.0), 30, 1.5, seed).whole.values()]
    assert min(answered) >= 0.85 * max(answered)


def test_a_campaign_of_twice_the_priority_meets_twice_as_many_people() -> None:
    whole = shared_day({"first": 2.0, "b": 1.0, "c": 1.0, "d": 1.0}, 30, 1.5, 3).whole
    others = [whole[name].answered for name in "bcd"]
    assert whole["first"].answered == pytest.approx(2.0 * sum(others) / 3.0, rel=0.15)
    assert min(others) >= 0.8 * max(others)


def floor_with(answered: dict[str, int], abandoned: dict[str, int], idle: int) -> Floor:
    """Return a floor of idle operators without lines, after a day that went differently for each campaign."""
    names = tuple(answered)
    events = [
        Event(NOW, name, kind, 8.0, 2.0)
        for name in names
        for kind, count in ((EventKind.ANSWERED, answered[name]), (EventKind.ABANDONED, abandoned[name]))
        for _ in range(count)
    ]
    return Floor(
        NOW,
        tuple(Operator(f"o{index}", OperatorState.READY, NOW - 1.0, None, names) for index in range(idle)),
        tuple(Campaign(name) for name in names),
        tuple(Cap((name,)) for name in names),
        tuple(events),
    )


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 15)), min_size=2, max_size=5), st.integers(2, 40))
def test_what_is_in_hand_gives_nobody_more_lines_than_the_others(days: list[tuple[int, int]], idle: int) -> None:
    # Nobody's budget is gone: a campaign without any dials one line per idle operator.
    answered = {f"c{index}": number for index, (number, _) in enumerate(days)}
    abandoned = {f"c{index}": min(number, int(0.03 * days[index][0])) for index, (_, number) in enumerate(days)}
    dial = Pacer().decide(floor_with(answered, abandoned, idle)).dial
    assert max(dial.values()) <= min(dial.values()) + 1


@given(st.integers(1, 300), st.integers(2, 12), st.integers(8, 40))
def test_an_overspent_campaign_dials_beside_the_others(answered: int, over: int, idle: int) -> None:
    floor = floor_with({"over": answered, "well": 1_000}, {"over": int(0.03 * answered) + over, "well": 0}, idle)
    pacer = Pacer()
    decision = pacer.decide(floor)
    assert 1 <= decision.dial["over"] <= idle
    # Lines of the other campaign ring: they are not counted against the operators that the overspent one may take.
    later = replace(
        floor,
        campaigns=(Campaign("over"), Campaign("well", ringing=(NOW - 24.0,) * idle)),
        events=(),
    )
    assert pacer.decide(later).dial["over"] >= 1


@given(st.integers(1, 300), st.integers(2, 12))
def test_beside_an_overspent_campaign_fewer_lines_are_placed(answered: int, over: int) -> None:
    spent = {"over": int(0.03 * answered) + over, "well": 0}
    careful = Pacer().decide(floor_with({"over": answered, "well": 1_000}, spent, 20)).dial
    careless = Pacer().decide(floor_with({"over": answered, "well": 1_000}, {"over": 0, "well": 0}, 20)).dial
    assert sum(careful.values()) <= sum(careless.values())


def test_a_progressive_campaign_dials_beside_a_predictive_one() -> None:
    floor = floor_with({"p": 100, "q": 100}, {"p": 0, "q": 0}, 20)
    busy = Campaign("q", ringing=(NOW - 24.0,) * 20)
    decision = Pacer().decide(replace(floor, campaigns=(Campaign("p", Mode.PROGRESSIVE), busy)))
    assert 1 <= decision.dial["p"] <= 20


def test_the_last_hour_of_a_window_brings_more_lines() -> None:
    floor = floor_with({"a": 100, "b": 100}, {"a": 0, "b": 0}, 30)
    urgent = replace(floor, campaigns=(Campaign("a", window_left_s=1200.0), Campaign("b", window_left_s=7200.0)))
    dial = Pacer().decide(urgent).dial
    assert dial["a"] == pytest.approx(3 * dial["b"], abs=3)
