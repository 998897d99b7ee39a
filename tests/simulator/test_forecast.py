"""Forecasts of a launch: plausible, repeatable, and humble where the history is short."""

import pytest

from services.simulator.forecast import History, Launch, forecast, plan_lines


def test_leads_take_a_line_each_until_somebody_answers() -> None:
    assert plan_lines(1000, History(answer_rate=0.5), most_attempts=1) == 1000
    assert plan_lines(1000, History(answer_rate=0.5), most_attempts=3) == 1750


@pytest.mark.long
def test_a_launch_in_progressive_mode_ends_when_arithmetic_says() -> None:
    history = History(
        lines=100_000, answer_rate=0.3, ring_s=10.0, other_s=25.0, talk_s=100.0, talk_cv=0.7, wrapup_s=20.0
    )
    found = forecast(history, Launch(lines=3000, operators=6, mode="progressive"))
    # Six operators, each 68.3 s idle and 120 s busy per answer; 3000 lines bring 900 answers.
    assert found.finished_s.mean == pytest.approx(900 / 6 * (68.3 + 120.0), rel=0.1)
    assert found.occupancy.mean == pytest.approx(0.637, abs=0.04)
    assert found.share.mean == 0.0


@pytest.mark.long
def test_a_short_history_widens_the_range_and_the_same_question_has_the_same_answer() -> None:
    long = forecast(History(lines=50_000, answer_rate=0.3), Launch(lines=2000, operators=2, mode="progressive"))
    short = forecast(History(lines=20, answer_rate=0.3), Launch(lines=2000, operators=2, mode="progressive"))
    again = forecast(History(lines=20, answer_rate=0.3), Launch(lines=2000, operators=2, mode="progressive"))
    assert short.finished_s.half > long.finished_s.half
    assert again == short
