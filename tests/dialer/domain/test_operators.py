"""An operator is never in two calls, and a call never has two operators, whatever comes in whatever order."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dialer.domain import attempts as calls
from services.dialer.domain import operators as rules
from services.dialer.domain.attempts import AttemptState
from services.dialer.domain.operators import ACCEPTED, Operator, OperatorState, Signal, decide
from tests.dialer.samples import NOW, attempt, operator

S = OperatorState
CALLS = (UUID(int=1), UUID(int=2))
LEADS = (UUID(int=3), UUID(int=4))
INSTANCES = (UUID(int=5), UUID(int=6))
ANY_SIGNAL: st.SearchStrategy[Signal] = st.one_of(
    st.sampled_from([rules.MakeReady(), rules.Pause("break"), rules.GoOffline(), rules.ReadyIn(NOW)]),
    st.sampled_from([rules.OfferAccepted(), rules.OfferGone(), rules.OfferGone(timed_out=True), rules.GraceOver()]),
    st.sampled_from([rules.Offer(one) for one in LEADS]),
    st.sampled_from([made for one in CALLS for made in (rules.Reserve(one), rules.Take(one), rules.CallOver(one))]),
    st.sampled_from([made for one in CALLS for made in (rules.CallOver(one, spoke=False), rules.Dispositioned(one))]),
    st.sampled_from([made for one in INSTANCES for made in (rules.Connected(one), rules.Disconnected(one))]),
)


@given(st.lists(ANY_SIGNAL, max_size=60))
def test_no_call_follows_another_before_it_is_over(story: list[Signal]) -> None:
    before = operator(S.OFFLINE)
    for number, signal in enumerate(story):
        after = decide(before, signal, NOW + timedelta(seconds=number)) or before
        assert after is before or after.version == before.version + 1
        assert before.attempt_id is None or after.attempt_id in (None, before.attempt_id)
        assert (after.state in (S.TALKING, S.WRAP_UP)) <= (after.attempt_id is not None)
        assert (after.attempt_id is not None) <= (after.state in (S.RESERVED, S.TALKING, S.WRAP_UP))
        assert after.offer_lead_id is None or after.state is S.RESERVED
        assert after.offer_lead_id is None or after.attempt_id is None
        before = after


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["take", "over", "lost", "close", "back"])),
        max_size=60,
    )
)
def test_on_a_floor_nobody_shares_a_call(acts: list[tuple[int, int, str]]) -> None:
    staff = [operator(S.READY) for _ in range(3)]
    people = [attempt(AttemptState.ANSWERED, answered_at=NOW) for _ in range(3)]
    for who, whom, act in acts:
        mine, call = staff[who], people[whom]
        if act == "take":
            taken, busy = decide(mine, rules.Take(call.id), NOW), calls.decide(call, calls.OperatorTook(mine.id), NOW)
            if taken is not None and busy is not call:
                staff[who], people[whom] = taken, busy
        elif act == "over" and mine.attempt_id == call.id:
            staff[who] = decide(mine, rules.CallOver(call.id), NOW) or mine
            people[whom] = calls.decide(call, calls.Destroyed(16), NOW)
        elif act == "lost" and mine.state is S.TALKING and mine.attempt_id == call.id:
            gone = decide(mine, rules.Disconnected(), NOW) or mine
            staff[who] = decide(gone, rules.GraceOver(), NOW) or gone
            people[whom] = calls.decide(call, calls.OperatorLost(), NOW)
        elif act == "close":
            staff[who] = decide(mine, rules.Dispositioned(call.id), NOW) or mine
        elif act == "back":
            staff[who] = decide(mine, rules.Connected(INSTANCES[0]), NOW) or mine
            staff[who] = decide(staff[who], rules.MakeReady(), NOW) or staff[who]
        on_calls = [one.attempt_id for one in staff if one.attempt_id is not None]
        assert len(on_calls) == len(set(on_calls))
        for call_now in people:
            has = [one.id for one in staff if one.attempt_id == call_now.id]
            assert call_now.state is not AttemptState.CONNECTED or has == [call_now.operator_id]


@pytest.mark.parametrize(
    ("state", "signal", "after"),
    [
        (S.OFFLINE, rules.MakeReady(), S.READY),
        (S.READY, rules.Pause("meal"), S.PAUSED),
        (S.PAUSED, rules.MakeReady(), S.READY),
        (S.READY, rules.Offer(LEADS[0]), S.RESERVED),
        (S.READY, rules.Reserve(CALLS[0]), S.RESERVED),
        (S.READY, rules.Take(CALLS[0]), S.TALKING),
        (S.OFFLINE, rules.Take(CALLS[0]), None),
        (S.PAUSED, rules.Take(CALLS[0]), None),
        (S.LOST, rules.Take(CALLS[0]), None),
        (S.READY, rules.OfferAccepted(), None),
        (S.READY, rules.Dispositioned(CALLS[0]), None),
        (S.READY, rules.ReadyIn(NOW), None),
        (S.LOST, rules.Connected(INSTANCES[0]), S.PAUSED),
    ],
)
def test_what_each_state_allows(state: OperatorState, signal: Signal, after: OperatorState | None) -> None:
    decided = decide(operator(state), signal, NOW)
    assert (decided.state if decided is not None else None) is after


def test_a_call_leads_through_wrap_up_to_what_the_operator_wished_for() -> None:
    talking = after(operator(), rules.Take(CALLS[0]))
    wishing = after(talking, rules.Pause("meal"))
    assert (wishing.state, wishing.next_state) == (S.TALKING, S.PAUSED)
    wrapping = after(wishing, rules.CallOver(CALLS[0]))
    assert (wrapping.state, wrapping.attempt_id) == (S.WRAP_UP, CALLS[0])
    paused = after(wrapping, rules.Dispositioned(CALLS[0]))
    assert (paused.state, paused.reason, paused.attempt_id, paused.next_state) == (S.PAUSED, "meal", None, None)


def test_an_accepted_preview_is_dialed_for_the_one_who_accepted_it() -> None:
    shown = after(operator(), rules.Offer(LEADS[0]))
    accepted = after(shown, rules.OfferAccepted())
    assert (accepted.reason, accepted.offer_lead_id) == (ACCEPTED, LEADS[0])
    reserved = after(accepted, rules.Reserve(CALLS[0]))
    assert (reserved.attempt_id, reserved.offer_lead_id, reserved.reason) == (CALLS[0], None, None)
    assert decide(reserved, rules.Take(CALLS[1]), NOW) is None
    unanswered = after(reserved, rules.CallOver(CALLS[0], spoke=False))
    assert unanswered.state is S.READY


def test_who_does_not_answer_an_offer_gets_nothing_until_they_say_so() -> None:
    shown = after(operator(), rules.Offer(LEADS[0]))
    silent = after(shown, rules.OfferGone(timed_out=True))
    assert (silent.state, silent.reason) == (S.PAUSED, "not_responding")
    assert after(shown, rules.OfferGone()).state is S.READY


def test_a_lost_connection_is_classified_once_the_grace_is_over() -> None:
    assert after(gone(operator()), rules.GraceOver()).state is S.OFFLINE
    lost = after(gone(after(operator(), rules.Take(CALLS[0]))), rules.GraceOver())
    assert (lost.state, lost.reason, lost.attempt_id) == (S.LOST, "connection_lost", None)
    wrapping = gone(after(after(operator(), rules.Take(CALLS[0])), rules.CallOver(CALLS[0])))
    assert decide(wrapping, rules.GraceOver(), NOW) is wrapping
    assert after(wrapping, rules.Dispositioned(CALLS[0])).state is S.OFFLINE


def test_the_word_of_an_instance_that_no_longer_holds_the_line_does_not_count() -> None:
    moved = after(operator(instance_id=INSTANCES[0]), rules.Connected(INSTANCES[1]))
    assert decide(moved, rules.Disconnected(INSTANCES[0]), NOW) is moved
    assert after(moved, rules.Disconnected(INSTANCES[1])).disconnected_at == NOW


def gone(one: Operator) -> Operator:
    return after(one, rules.Disconnected())


def after(one: Operator, signal: Signal) -> Operator:
    decided = decide(one, signal, NOW)
    assert decided is not None
    return decided
