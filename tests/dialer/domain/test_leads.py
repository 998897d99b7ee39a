"""What becomes of a lead after each attempt: maxima hold, every cadence ends, nobody is called who left."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.dialer.domain import leads as rules
from services.dialer.domain.attempts import Outcome
from services.dialer.domain.leads import Cadence, CallStep, Lead, LeadState, MessageStep, RetryRule, Stream
from tests.dialer.samples import CALLS, NOW, SMS, lead

RETRIES = st.builds(RetryRule, st.just(timedelta(minutes=5)), st.integers(0, 4), st.booleans())
UNANSWERED = [o for o in Outcome if o not in (Outcome.ANSWERED, Outcome.CANCELLED)]
CALL_STEPS = st.builds(CallStep, st.dictionaries(st.sampled_from(UNANSWERED), RETRIES), st.integers(1, 6))
CADENCES = st.tuples(CALL_STEPS, st.lists(CALL_STEPS | st.just(SMS), max_size=3)).map(lambda c: (c[0], *c[1]))
NUMBERS = ("+441632960001", "+441632960002", "+441632960003")


def walk(one: Lead, cadence: Cadence, outcomes: list[Outcome]) -> list[tuple[int, Outcome]]:
    """Call the lead until it is finished or the outcomes are used up; return each call's step and outcome."""
    made: list[tuple[int, Outcome]] = []
    for outcome in outcomes:
        while one.state is LeadState.WAITING and one.stream is Stream.MESSAGE:
            one = rules.plan_next_step(one, cadence, NOW)
        if one.state is LeadState.FINISHED:
            break
        made.append((one.step, outcome))
        one = rules.plan_after(rules.hold(one), outcome, cadence, NOW)
        assert one.state is not LeadState.BUSY
    else:
        raise AssertionError("a cadence that never ends")
    return made


@given(CADENCES, st.lists(st.sampled_from(UNANSWERED), min_size=60, max_size=60), st.integers(1, 3))
def test_maxima_hold_and_every_cadence_ends(cadence: Cadence, outcomes: list[Outcome], numbers: int) -> None:
    made = walk(lead(*NUMBERS[:numbers]), cadence, outcomes)
    for index, step in enumerate(cadence):
        own = Counter(outcome for at, outcome in made if at == index)
        if isinstance(step, MessageStep):
            assert not own
            continue
        assert own.total() <= step.max_attempts
        for outcome, times in own.items():
            rule = step.retries.get(outcome)
            # The first of its kind is no retry; a wrong number may be followed by the person's others.
            spare = numbers if outcome is Outcome.INVALID else 1
            assert times <= (rule.maximum if rule is not None else 0) + spare
        assert own[Outcome.UNKNOWN] <= 1


def test_unknown_is_never_redialled_by_itself() -> None:
    after = rules.plan_after(rules.hold(lead()), Outcome.UNKNOWN, (CALLS,), NOW)
    assert (after.state, after.result) == (LeadState.FINISHED, "not_reached")


def test_what_rang_nobody_counts_for_nothing() -> None:
    after = rules.plan_after(rules.hold(lead()), Outcome.CANCELLED, (CALLS,), NOW)
    assert (after.state, after.stream, dict(after.tries)) == (LeadState.WAITING, Stream.FRESH, {})


def test_the_next_try_is_on_the_next_number_where_the_rule_says_so() -> None:
    one = lead(*NUMBERS)
    dialed: list[str] = []
    for outcome in (Outcome.NO_ANSWER, Outcome.BUSY, Outcome.NO_ANSWER):
        dialed.append(one.phone.e164)
        one = rules.plan_after(rules.hold(one), outcome, (CALLS,), NOW)
    assert [*dialed, one.phone.e164] == [NUMBERS[0], NUMBERS[1], NUMBERS[1], NUMBERS[2]]
    assert one.next_at == NOW + timedelta(hours=3)


def test_a_refused_number_is_passed_over() -> None:
    one = lead(*NUMBERS)
    premium = replace(one.phones[1], refused="premium rate")
    one = replace(one, phones=(one.phones[0], premium, one.phones[2]))
    assert rules.plan_after(rules.hold(one), Outcome.NO_ANSWER, (CALLS,), NOW).phone_index == 2


def test_a_wrong_number_is_followed_by_the_next_at_once_and_the_last_ends_it() -> None:
    one = rules.plan_after(rules.hold(lead(*NUMBERS[:2])), Outcome.INVALID, (CALLS,), NOW)
    assert (one.phone_index, one.next_at) == (1, NOW)
    one = rules.plan_after(rules.hold(one), Outcome.INVALID, (CALLS,), NOW)
    assert (one.state, one.result) == (LeadState.FINISHED, "invalid")


def test_who_was_not_reached_gets_the_message_and_then_the_calls_after_it() -> None:
    cadence = (replace(CALLS, retries={}, max_attempts=1), SMS, replace(CALLS, max_attempts=2))
    one = rules.plan_after(rules.hold(lead()), Outcome.NO_ANSWER, cadence, NOW)
    assert (one.stream, one.next_at, one.held_by) == (Stream.MESSAGE, NOW + SMS.after, "message")
    one = rules.plan_next_step(one, cadence, NOW)
    assert (one.stream, one.step) == (Stream.RETRY, 2)
    one = rules.plan_after(rules.hold(one), Outcome.BUSY, cadence, NOW)
    assert (one.state, one.step) == (LeadState.WAITING, 2)
    one = rules.plan_after(rules.hold(one), Outcome.BUSY, cadence, NOW)
    assert (one.state, one.result) == (LeadState.FINISHED, "not_reached")


def test_a_cadence_that_was_shortened_meanwhile_is_over_for_leads_beyond_it() -> None:
    beyond = replace(lead(), step=2)
    assert rules.plan_after(rules.hold(beyond), Outcome.BUSY, (CALLS,), NOW).result == "not_reached"
    assert rules.plan_next_step(beyond, (CALLS,), NOW).result == "not_reached"
    assert rules.step_of((CALLS,), beyond) is None


def test_who_left_the_campaign_during_a_call_is_not_called_again() -> None:
    withdrawn = replace(rules.hold(lead()), result="withdrawn")
    erased = replace(rules.hold(lead()), phones=())
    for one in (withdrawn, erased):
        for after in (
            rules.plan_after(one, Outcome.NO_ANSWER, (CALLS,), NOW),
            rules.plan_after(one, Outcome.CANCELLED, (CALLS,), NOW),
            rules.call_back(one, NOW, None),
            rules.defer(one, NOW, "hours"),
            rules.release(one, NOW),
        ):
            assert (after.state, after.result) == (LeadState.FINISHED, "withdrawn")


def test_a_callback_waits_for_its_instant_and_its_operator() -> None:
    one = rules.call_back(rules.hold(lead()), NOW + timedelta(days=1), lead().id)
    assert (one.stream, one.next_at, one.held_by) == (Stream.CALLBACK, NOW + timedelta(days=1), "callback")
    assert one.callback_operator is not None
    assert rules.finish(one, "reached").callback_operator is None
