"""What a cap's window counts: the estimate of wrong machine verdicts, and windows that come once each."""

from services.dialer.domain.pacing import Campaign, Cap, Event, EventKind, Floor, Operator, OperatorState, Pacer, Window

DAY_S = 86_400.0


def day(number: int) -> Cap:
    """Return a cap whose window is told by its instants, as the running dialer tells each day's."""
    return Cap(("a",), window=Window(anchor=number * DAY_S))


def floor_at(now: float, cap: Cap, *events: Event) -> Floor:
    idle = (Operator("o", OperatorState.READY, now, None, ("a",)),)
    return Floor(now, idle, (Campaign("a"),), (cap,), events)


def test_people_taken_for_machines_are_counted_as_abandoned() -> None:
    cap = Cap(("a",), false_machine_share=0.02)
    answers = [Event(0.0, "a", EventKind.ANSWERED, 8.0)] * 100
    machines = [Event(0.0, "a", EventKind.MACHINE, 8.0)] * 150
    budget = Pacer().decide(floor_at(1.0, cap, *answers, *machines)).numbers["a"]["budget"]
    # 150 verdicts were three people's, so that 103 answered and three of them met nobody.
    assert abs(budget - (0.03 * 103 - 3)) < 1e-9


def test_a_day_told_by_its_instants_begins_with_nothing_and_the_last_is_forgotten() -> None:
    pacer = Pacer()
    abandoned = [Event(10.0, "a", EventKind.ANSWERED, 8.0), Event(12.0, "a", EventKind.ABANDONED, waited_s=2.0)]
    assert pacer.decide(floor_at(20.0, day(0), *abandoned)).numbers["a"]["budget"] < -0.9
    for number in range(1, 40):
        now = number * DAY_S + 5.0
        assert pacer.decide(floor_at(now, day(number))).numbers["a"]["budget"] == 0.0
    assert len(pacer.to_state()["budgets"]) <= 2


def test_a_window_that_is_not_told_for_a_while_keeps_its_count() -> None:
    pacer = Pacer()
    abandoned = [Event(10.0, "a", EventKind.ANSWERED, 8.0), Event(12.0, "a", EventKind.ABANDONED, waited_s=2.0)]
    pacer.decide(floor_at(20.0, day(0), *abandoned))
    pacer.decide(floor_at(30.0, Cap(("b",))))
    assert pacer.decide(floor_at(40.0, day(0))).numbers["a"]["budget"] < -0.9
