"""Why is nobody being called? The counts, the sentence and the chart, from figures alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.obstacles import (
    OWN_NAMES,
    STEPS,
    DoneCount,
    Filter,
    HeldCount,
    Sampled,
    Standing,
    TrunkUse,
    Why,
    chart,
    explain,
    steps_from,
)
from services.dialer.domain.pacing import Mode

NOW = datetime(2026, 11, 25, 9, 12, 30, tzinfo=UTC)
TRUNK = TrunkUse(channels_used=3, channels=10, spent_micros=0, cost_micros=5, spend_cap_micros=None)
FINE = Standing(
    owned=True,
    stopped=None,
    consents_at=NOW,
    trunk=TRUNK,
    lines=3,
    operators={"ready": 2, "talking": 3},
    ready=2,
    soon=3,
)
ALWAYS = (True,) * (STEPS + 1)


def campaign(state: CampaignState = CampaignState.RUNNING, mode: Mode = Mode.PROGRESSIVE, **plan: object) -> Campaign:
    made = Plan.model_validate({"mode": mode, "caller_ids": ("+441632960999",), **plan})
    return Campaign(UUID(int=1), "Survey", state, UUID(int=2), made, 1, NOW)


def held(name: str | None, step: int, leads: int, *, message: bool = False) -> HeldCount:
    return HeldCount(name, step, leads, steps_from(NOW)[min(step, STEPS)], message)


def asked(
    standing: Standing = FINE,
    counts: Sequence[HeldCount] = (held(None, 0, 10),),
    samples: Sequence[Sampled] = (Sampled(0, None, None, ALWAYS),) * 10,
    about: Campaign | None = None,
) -> Why:
    return explain(about or campaign(), NOW, counts, [], samples, standing, OWN_NAMES)


def test_steps_are_now_and_then_every_half_hour_of_the_clock_for_a_day() -> None:
    steps = steps_from(NOW)
    assert steps[:3] == (NOW, datetime(2026, 11, 25, 9, 30, tzinfo=UTC), datetime(2026, 11, 25, 10, tzinfo=UTC))
    assert len(steps) == STEPS + 1
    assert steps[-1] == datetime(2026, 11, 26, 9, tzinfo=UTC)


def test_when_nothing_stands_in_the_way_the_answer_says_how_many_may_be_called() -> None:
    why = asked()
    assert (why.due, why.callable, why.obstacles, why.estimated) == (10, 10, (), False)
    assert why.answer == "10 leads may be called; 3 are being called."


@pytest.mark.parametrize(
    ("changed", "filter_", "words"),
    [
        ({"stopped": "trunk main"}, Filter.STOP, "an emergency stop is in force: trunk main"),
        ({"owned": False}, Filter.OWNER, "no dialer owns the campaign's pool at the moment"),
        ({"consents_at": None}, Filter.CONSENT_VIEW, "the dialer has not heard of consents yet"),
        (
            {"consents_at": NOW - timedelta(minutes=3)},
            Filter.CONSENT_VIEW,
            "the view of consents is 3 min old, and five seconds are allowed",
        ),
        ({"held_back_by": "the carrier is away"}, Filter.CARRIER, "the carrier is away"),
        ({"trunk": None}, Filter.TRUNK, "there is no trunk named 'main'"),
        ({"trunk": TrunkUse(10, 10, 0, 5, None)}, Filter.TRUNK, "all 10 channels of trunk main are in use"),
        (
            {"trunk": TrunkUse(3, 10, 1_999_999, 5, 2_000_000)},
            Filter.BUDGET,
            "today's budget of trunk main (2.00) is spent",
        ),
        ({"lines": 200}, Filter.LINES, "all 200 lines of the campaign are in use"),
        ({"ready": 0}, Filter.OPERATORS, "no operator is free (2 ready, 3 talking)"),
        ({"ready": 0, "operators": {}}, Filter.OPERATORS, "no operator is signed in"),
    ],
)
def test_what_holds_back_the_whole_campaign_holds_every_lead_that_may_be_called(
    changed: dict[str, object], filter_: Filter, words: str
) -> None:
    standing = Standing(**{**{name: getattr(FINE, name) for name in Standing.__slots__}, **changed})  # pyright: ignore[reportArgumentType]
    why = asked(standing)
    (only,) = why.obstacles
    assert (only.filter, only.leads, only.text) == (filter_, 10, words)
    assert why.answer == f"{words[0].upper()}{words[1:]}. 10 leads could be called otherwise."


@pytest.mark.parametrize(("mode", "soon", "holds"), [(Mode.PREDICTIVE, 3, False), (Mode.PREDICTIVE, 0, True)])
def test_with_several_lines_an_operator_who_will_be_free_soon_is_enough(mode: Mode, soon: int, *, holds: bool) -> None:
    standing = Standing(owned=True, stopped=None, consents_at=NOW, trunk=TRUNK, lines=0, soon=soon)
    why = asked(standing, about=campaign(mode=mode))
    assert ([one.filter for one in why.obstacles] == [Filter.OPERATORS]) is holds


def test_a_campaign_that_does_not_run_says_so_first() -> None:
    why = asked(about=campaign(CampaignState.PAUSED))
    assert why.obstacles[0].filter is Filter.STATE
    assert why.answer == "The campaign is paused, so nobody is called."


def test_leads_that_were_put_off_are_counted_exactly_by_what_holds_them() -> None:
    counts = [
        held("retry_delay", 3, 40),
        held("retry_delay", 9, 2),
        held("gate.hours", 5, 700),
        held("message", 0, 6, message=True),
        held("some.rule", STEPS + 1, 1),
    ]
    why = asked(counts=counts, samples=())
    told = {(one.filter, one.rule): (one.leads, one.frees, one.until) for one in why.obstacles}
    steps = steps_from(NOW)
    assert told == {
        (Filter.WINDOW, "gate.hours"): (700, 700, steps[5]),
        (Filter.RETRY_DELAY, "retry_delay"): (42, 40, steps[3]),
        (Filter.MESSAGE, "message"): (6, 0, None),
        (Filter.RULE, "some.rule"): (1, 1, steps[STEPS]),
    }
    assert why.answer.startswith(
        "No lead can be called now; 700 wait because of this: outside the campaign's own hours"
    )
    assert why.waiting == 749


def test_leads_nobody_has_asked_the_gate_about_are_estimated_from_the_sample() -> None:
    closed = Sampled(0, "gate.hours", NOW + timedelta(hours=1), (False,) * 3 + (True,) * (STEPS - 2))
    free = Sampled(0, None, None, ALWAYS)
    why = asked(counts=[held(None, 0, 1000)], samples=[closed] * 3 + [free])
    (one,) = why.obstacles
    assert (one.filter, one.leads, one.frees, one.estimated) == (Filter.WINDOW, 750, 750, True)
    assert (why.callable, why.estimated) == (250, True)
    assert [point.callable for point in why.chart[:4]] == [250, 250, 250, 1000]


def test_when_the_sample_is_everybody_nothing_is_an_estimate() -> None:
    why = asked(counts=[held(None, 0, 2)], samples=[Sampled(0, "gate.hours", None, (False,) * 49)] * 2)
    assert [(one.leads, one.estimated) for one in why.obstacles] == [(2, False)]


def test_finished_leads_are_told_with_what_ruled_them_out() -> None:
    done = [DoneCount("busy", None, None, 2), DoneCount("finished", "not_reached", "gb.consent", 5)]
    why = explain(campaign(), NOW, [], done, [], FINE, OWN_NAMES)
    assert (why.busy, why.finished, why.done) == (2, 5, (done[1],))
    assert why.answer == "No lead is waiting: everybody is done, being called, or not enrolled yet."


def test_the_next_change_is_the_first_instant_at_which_somebody_comes_free() -> None:
    why = asked(counts=[held("callback", 7, 1), held("gate.hours", 2, 3)], samples=())
    assert why.next_change is not None
    assert (why.next_change.rule, why.next_change.frees) == ("gate.hours", 3)
    assert asked().next_change is None


_counts = st.lists(st.tuples(st.integers(0, STEPS + 1), st.integers(1, 10**6)), max_size=8)
_samples = st.lists(st.tuples(st.integers(0, STEPS), st.lists(st.booleans(), min_size=49, max_size=49)), max_size=20)


@given(_counts, _samples)
def test_the_chart_never_shows_more_callable_leads_than_have_come_due_and_due_only_grows(
    counts: list[tuple[int, int]], samples: list[tuple[int, list[bool]]]
) -> None:
    rows = [held(None, step, leads) for step, leads in counts]
    drawn = chart(NOW, rows, [Sampled(step, None, None, tuple(allowed)) for step, allowed in samples])
    assert len(drawn) == STEPS + 1
    assert all(0 <= one.callable <= one.due for one in drawn)
    assert all(a.due <= b.due for a, b in pairwise(drawn))
    assert drawn[-1].due == sum(leads for step, leads in counts if step <= STEPS)
