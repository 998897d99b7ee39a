"""Any order, repetition and loss of signals ends a call exactly once."""

import itertools
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dialer.domain import attempts as rules
from services.dialer.domain.attempts import Attempt, AttemptState, Outcome, Signal, decide
from tests.dialer.samples import NOW, attempt

OPERATORS = (UUID(int=1), UUID(int=2))
CAUSES = (0, 1, 16, 17, 18, 19, 21, 22, 27, 28, 34, 38, 58, 102, 127, 200)
ANY_SIGNAL: st.SearchStrategy[Signal] = st.one_of(
    st.sampled_from([rules.DialBegun(), rules.RingingSeen(), rules.PickedUp(), rules.PickedUp(machine=True)]),
    st.sampled_from([rules.OperatorTook(one) for one in OPERATORS]),
    st.sampled_from([rules.OperatorLost(), rules.WaitedTooLong(), rules.HangupRequested(), rules.Withdrawn()]),
    st.sampled_from([rules.HoldChanged(held=True), rules.HoldChanged(held=False), rules.Vanished()]),
    st.builds(rules.Destroyed, st.sampled_from(CAUSES), st.sampled_from([None, 480, 486])),
)
STORIES = st.lists(ANY_SIGNAL, max_size=40)
LAST: st.SearchStrategy[Signal] = st.one_of(
    st.just(rules.Vanished()), st.builds(rules.Destroyed, st.sampled_from(CAUSES), st.none())
)


def told(story: list[Signal]) -> list[Attempt]:
    """Return the attempt after each signal of a story, the first one included."""
    states = [attempt()]
    for number, signal in enumerate(story):
        states.append(decide(states[-1], signal, NOW + timedelta(seconds=number)))
    return states


@given(STORIES)
def test_a_call_ends_at_most_once_and_stays_as_it_ended(story: list[Signal]) -> None:
    states = told(story)
    for before, after in itertools.pairwise(states):
        assert after is before or after.version == before.version + 1
        assert (after.outcome is not None) == (after.state is AttemptState.ENDED)
        if before.state is AttemptState.ENDED:
            assert after is before


@given(STORIES, LAST)
def test_whatever_was_lost_the_end_of_the_channel_ends_the_call(story: list[Signal], last: Signal) -> None:
    end = decide(told(story)[-1], last, NOW)
    assert end.state is AttemptState.ENDED
    assert end.ended_at is not None


@given(STORIES, LAST)
def test_the_outcome_tells_what_happened(story: list[Signal], last: Signal) -> None:
    states = told(story)
    end = decide(states[-1], last, NOW)
    before = next((a for a, b in zip(states, [*states[1:], end], strict=True) if b.state is AttemptState.ENDED), end)
    assert (end.outcome is Outcome.ANSWERED) == (end.connected_at is not None)
    assert (end.outcome is Outcome.CANCELLED) == (before.state is AttemptState.RESERVED)
    assert not (end.abandoned and end.connected_at is not None)
    if end.outcome is Outcome.ABANDONED:
        assert end.answered_at is not None
        assert not end.machine
    instants = [at for at in (end.dialed_at, end.ringing_at, end.answered_at, end.connected_at) if at is not None]
    assert instants == sorted(instants)


@given(STORIES, STORIES)
def test_repeating_a_whole_story_changes_no_outcome(story: list[Signal], more: list[Signal]) -> None:
    end = decide(told(story)[-1], rules.Vanished(), NOW)
    for signal in [*story, *more]:
        assert decide(end, signal, NOW) is end


@pytest.mark.parametrize(
    ("cause", "tech_cause", "rang", "outcome"),
    [
        (17, None, True, Outcome.BUSY),
        (19, None, True, Outcome.NO_ANSWER),
        (19, 480, True, Outcome.NO_ANSWER),
        (19, 480, False, Outcome.NETWORK),
        (1, None, False, Outcome.INVALID),
        (28, None, False, Outcome.INVALID),
        (21, None, True, Outcome.REJECTED),
        (34, None, False, Outcome.NETWORK),
        (16, None, True, Outcome.NO_ANSWER),
        (999, None, True, Outcome.UNKNOWN),
    ],
)
def test_causes_become_outcomes(cause: int, tech_cause: int | None, rang: bool, outcome: Outcome) -> None:
    called = attempt(AttemptState.RINGING, ringing_at=NOW) if rang else attempt(AttemptState.DIALING)
    assert decide(called, rules.Destroyed(cause, tech_cause), NOW).outcome is outcome


def test_nobody_is_put_through_once_the_wait_was_too_long() -> None:
    waiting = attempt(AttemptState.ANSWERED, answered_at=NOW)
    abandoned = decide(waiting, rules.WaitedTooLong(), NOW)
    assert abandoned.abandoned
    assert abandoned.hangup_requested
    assert decide(abandoned, rules.OperatorTook(uuid4()), NOW) is abandoned
    assert decide(abandoned, rules.Destroyed(16), NOW).outcome is Outcome.ABANDONED


def test_who_lost_their_operator_was_not_abandoned() -> None:
    talking = attempt(AttemptState.CONNECTED, answered_at=NOW, connected_at=NOW, operator_id=OPERATORS[0])
    waiting = decide(talking, rules.OperatorLost(), NOW)
    assert waiting.state is AttemptState.ANSWERED
    again = decide(waiting, rules.OperatorTook(OPERATORS[1]), NOW + timedelta(seconds=5))
    assert (again.operator_id, again.connected_at) == (OPERATORS[1], NOW)
    given_up = decide(waiting, rules.WaitedTooLong(), NOW)
    assert not given_up.abandoned
    assert decide(given_up, rules.Destroyed(16), NOW).outcome is Outcome.ANSWERED


def test_every_outcome_but_cancelled_counts_as_rung() -> None:
    assert {outcome for outcome in Outcome if not outcome.rang} == {Outcome.CANCELLED}
