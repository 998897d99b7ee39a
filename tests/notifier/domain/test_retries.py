"""The schedule of the specification, bent by hints and jitter but never out of shape."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.retries import (
    LONGEST_HINT,
    SCHEDULE,
    SLOW_DOWN,
    AttemptResult,
    Delivered,
    Exhausted,
    Failure,
    Gone,
    RetryAt,
    judge,
    parse_retry_after,
    wait_before,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
jitters = st.floats(-1, 1)
failures = st.sampled_from(
    [AttemptResult(status=s) for s in (199, 301, 400, 404, 429, 500, 502, 504)]
    + [AttemptResult(failure=f) for f in Failure]
)
hints = st.none() | st.timedeltas(timedelta(0), timedelta(days=400))


def test_the_schedule_is_that_of_the_specification() -> None:
    assert [wait.total_seconds() for wait in SCHEDULE] == [
        *(0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    ]
    assert sum(SCHEDULE, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_only_2xx_delivers(status: int) -> None:
    assert judge(AttemptResult(status=status), 1, NOW, 0) == Delivered()


@pytest.mark.parametrize("status", [100, 302, 307, 400, 500])
def test_anything_else_is_tried_again(status: int) -> None:
    assert isinstance(judge(AttemptResult(status=status), 1, NOW, 0), RetryAt)


def test_410_says_goodbye_at_any_attempt() -> None:
    assert judge(AttemptResult(status=410), 1, NOW, 0) == Gone()
    assert judge(AttemptResult(status=410), 10, NOW, 0) == Gone()


@given(failures, hints, jitters)
def test_ten_attempts_and_no_more(result: AttemptResult, hint: timedelta | None, jitter: float) -> None:
    tried = AttemptResult(result.status, result.failure, hint)
    verdicts = [judge(tried, attempts, NOW, jitter) for attempts in range(1, 11)]
    assert all(isinstance(one, RetryAt) for one in verdicts[:9])
    assert verdicts[9] == Exhausted()


@given(failures, st.integers(1, 9), jitters)
def test_without_a_hint_the_wait_is_the_slot_within_a_fifth(
    result: AttemptResult, attempts: int, jitter: float
) -> None:
    wait = wait_before(attempts, result, jitter)
    slowed = result.failure is Failure.TIMEOUT or result.status in (429, 502, 504)
    floor = SLOW_DOWN if slowed else timedelta(0)
    assert max(floor, SCHEDULE[attempts] * 0.8) <= wait <= max(floor, SCHEDULE[attempts] * 1.2)


@given(failures, st.integers(1, 9), jitters, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_hint_only_lengthens_and_only_so_far(
    result: AttemptResult, attempts: int, jitter: float, hint: timedelta
) -> None:
    plain = wait_before(attempts, result, jitter)
    hinted = wait_before(attempts, AttemptResult(result.status, result.failure, hint), jitter)
    assert plain <= hinted <= max(2 * plain, LONGEST_HINT)
    if plain <= hint <= LONGEST_HINT:
        assert hinted == hint


def test_429_waits_a_minute_where_5_seconds_were_due() -> None:
    assert wait_before(1, AttemptResult(status=500), 0) == timedelta(seconds=5)
    assert wait_before(1, AttemptResult(status=429), 0) == timedelta(minutes=1)
    assert wait_before(1, AttemptResult(failure=Failure.TIMEOUT), 0) == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", timedelta(0)),
        (" 120 ", timedelta(seconds=120)),
        ("9" * 400, timedelta(seconds=999_999_999)),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), timedelta(minutes=5)),
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), timedelta(0)),
        ("Mon, 23 Nov 2026 99:00:00 GMT", None),
    ],
)
def test_retry_after_in_both_forms(header: str | None, wait: timedelta | None) -> None:
    assert parse_retry_after(header, NOW) == wait


@given(st.text(max_size=60))
def test_no_retry_after_is_too_odd(header: str) -> None:
    found = parse_retry_after(header, NOW)
    assert found is None or found >= timedelta(0)
