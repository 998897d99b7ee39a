"""What every decision of the engine keeps, whatever the floor looks like and whatever happened before."""

import json
import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.dialer.domain.pacing import (
    Campaign,
    Cap,
    Event,
    EventKind,
    Floor,
    Mode,
    Operator,
    OperatorState,
    Pacer,
    Window,
    WindowKind,
)
from services.dialer.domain.pacing.placing import MAX_LINES_PER_OPERATOR

NOW = 5_000.0
SEEDS = st.integers(0, 2**32)
"""Whole floors are drawn from a seed: a floor of sixty operators, drawn value by value, takes Hypothesis a second."""


def floor_of(seed: int, modes: tuple[Mode, ...] = tuple(Mode), most_operators: int = 25) -> Floor:
    draw = random.Random(seed)
    names = draw.choice([("a",), ("a", "b"), ("a", "b", "c")])
    operators = tuple(
        Operator(
            f"o{index}",
            draw.choice(list(OperatorState)),
            NOW - draw.expovariate(1 / 100),
            draw.choice([None, None, draw.uniform(0, 60)]),
            tuple(draw.sample(names, draw.randint(0, len(names)))),
        )
        for index in range(draw.randint(0, most_operators))
    )
    campaigns = tuple(
        Campaign(
            name,
            draw.choice(modes),
            draw.choice([0.0, 1.0, 3.7]),
            draw.choice([0, 1, 5, 1000]),
            draw.choice([0, 3, 60]),
            tuple(NOW - draw.uniform(0, 90) for _ in range(draw.randint(0, 20))),
            tuple(NOW - draw.uniform(0, 5) for _ in range(draw.choice([0, 0, 1, 4]))),
        )
        for name in names
    )
    caps = tuple(
        Cap(
            tuple(draw.sample(("a", "b", "x"), draw.randint(1, 3))),
            draw.choice([0.0, 0.03, 0.1]),
            draw.choice([0.0, 2.0]),
            Window(draw.choice(list(WindowKind)), draw.choice([10.0, 3600.0, 86_400.0])),
        )
        for _ in range(draw.randint(0, 3))
    )
    events: list[Event] = []
    for _ in range(draw.randint(0, 60)):
        span = draw.uniform(0, 90)
        kind = draw.choice(list(EventKind))
        events.append(Event(NOW - draw.uniform(0, 600), draw.choice(names), kind, span, span / 30, span, span / 10))
    return Floor(NOW, operators, campaigns, tuple(dict.fromkeys(caps)), tuple(events))


@given(SEEDS)
def test_no_decision_exceeds_lines_leads_or_the_bound_per_operator(seed: int) -> None:
    pacer = Pacer()
    for floor in (floor_of(seed), replace(floor_of(seed + 1), now=NOW + 1.0)):
        dial = pacer.decide(floor).dial
        assert set(dial) == {campaign.id for campaign in floor.campaigns}
        for campaign in floor.campaigns:
            room = max(0, min(campaign.leads_left, campaign.max_lines - len(campaign.ringing)))
            assert 0 <= dial[campaign.id] <= room
            if campaign.mode is not Mode.AGENTLESS and not any(
                campaign.id in operator.campaigns and operator.state is not OperatorState.PAUSED
                for operator in floor.operators
            ):
                assert dial[campaign.id] == 0
        staffed = sum(operator.state is not OperatorState.PAUSED for operator in floor.operators)
        placed = sum(dial[one.id] for one in floor.campaigns if one.mode is not Mode.AGENTLESS)
        assert placed <= staffed * MAX_LINES_PER_OPERATOR


@given(SEEDS, st.integers(1, 5))
def test_with_the_budget_overspent_there_is_one_line_per_idle_operator(seed: int, idle: int) -> None:
    floor = floor_of(seed, (Mode.PREDICTIVE, Mode.RATIO))
    ready = tuple(Operator(f"r{index}", OperatorState.READY, NOW, None, ("a",)) for index in range(idle))
    only = replace(floor.campaigns[0], leads_left=1000, max_lines=1000)
    answered = [Event(NOW, "a", EventKind.ANSWERED, 8.0)] * 100
    abandoned = [Event(NOW, "a", EventKind.ABANDONED, waited_s=2.0)] * 5
    overspent = Floor(NOW, ready, (only,), (Cap(("a",)),), (*answered, *abandoned))
    held = len(only.ringing) + len(only.waiting)
    assert Pacer().decide(overspent).dial == {"a": max(0, idle - held)}


@given(SEEDS, st.integers(1, 3))
def test_more_idle_operators_never_lead_to_fewer_lines(seed: int, more: int) -> None:
    floor = floor_of(seed, (Mode.PREDICTIVE, Mode.PROGRESSIVE), most_operators=60)
    campaign = replace(floor.campaigns[0], leads_left=100_000, max_lines=100_000)
    serving = tuple(operator._replace(campaigns=("a",)) for operator in floor.operators)
    fewer = replace(floor, operators=serving, campaigns=(campaign,))
    extra = tuple(Operator(f"x{index}", OperatorState.READY, NOW, None, ("a",)) for index in range(more))
    assert Pacer().decide(replace(fewer, operators=(*serving, *extra))).dial["a"] >= Pacer().decide(fewer).dial["a"]


@given(SEEDS, st.integers(0, 4))
def test_a_restart_anywhere_changes_no_decision(seed: int, restart: int) -> None:
    moved = [replace(floor_of(seed + index), now=NOW + 20.0 * index) for index in range(5)]
    straight, resumed = Pacer(), Pacer()
    for index, floor in enumerate(moved):
        if index == restart:
            resumed = Pacer(json.loads(json.dumps(resumed.to_state())))
        assert straight.decide(floor) == resumed.decide(floor)


@given(SEEDS)
def test_a_floor_followed_operator_by_operator_is_the_floor_seen_afresh(seed: int) -> None:
    draw = random.Random(seed)
    floor = floor_of(seed)
    followed = Pacer()
    for step in range(8):
        state = json.loads(json.dumps(followed.to_state()))
        assert followed.decide(floor) == Pacer(state).decide(floor)
        others = floor_of(seed + step + 1).operators
        operators = list(floor.operators)
        for index in draw.sample(range(len(operators)), min(len(operators), 3)):
            operators[index] = draw.choice(others or (operators[index],))
        floor = replace(floor, now=floor.now + draw.uniform(0, 3), operators=tuple(operators), events=())


@given(SEEDS, st.floats(0.0, 1e6))
def test_a_clock_that_steps_back_is_answered_and_floods_nobody(seed: int, back: float) -> None:
    floor = floor_of(seed)
    pacer = Pacer()
    pacer.decide(floor)
    again = pacer.decide(replace(floor, now=floor.now - back))
    staffed = sum(operator.state is not OperatorState.PAUSED for operator in floor.operators)
    placed = sum(again.dial[one.id] for one in floor.campaigns if one.mode is not Mode.AGENTLESS)
    assert placed <= staffed * MAX_LINES_PER_OPERATOR
