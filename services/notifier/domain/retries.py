"""What one attempt means for a delivery: done, again and when, or given up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

_S, _M, _H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

SCHEDULE: tuple[timedelta, ...] = (
    0 * _S,
    5 * _S,
    5 * _M,
    30 * _M,
    2 * _H,
    5 * _H,
    10 * _H,
    14 * _H,
    20 * _H,
    24 * _H,
)
"""The waits of the Standard Webhooks specification: before the first attempt, the second, and so on."""

JITTER = 0.2
"""Each wait is longer or shorter by up to this share, so that retries of one outage do not come back as one wave."""

SLOW_DOWN = 60 * _S
"""The least wait after a receiver showed that it is overloaded."""

LONGEST_HINT = 1 * _H
"""A `Retry-After` is heeded up to this, or up to twice our own wait where that is longer."""


class Failure(StrEnum):
    """Why there was no usable answer."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    REFUSED_ADDRESS = "refused_address"
    SECRET = "secret"  # noqa: S105 - the name of a failure


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came back from one attempt: a status, or a failure without one."""

    status: int | None = None
    failure: Failure | None = None
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """Only 2xx counts: a redirect may lead to a sign-in page that answers 200."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Delivered:
    """The partner has it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at *at*."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Every attempt failed; only a replay tries again."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver said 410: its endpoint is disabled."""


Verdict = Delivered | RetryAt | Exhausted | Gone


def judge(result: AttemptResult, attempts: int, now: datetime, jitter: float) -> Verdict:
    """Return what follows from *result*; *attempts* counts the one that just ended, *jitter* lies in [-1, 1]."""
    if result.delivered:
        return Delivered()
    if result.status == 410:
        return Gone()
    if attempts >= len(SCHEDULE):
        return Exhausted()
    return RetryAt(now + wait_before(attempts, result, jitter))


def wait_before(attempts: int, result: AttemptResult, jitter: float) -> timedelta:
    """Return the wait before attempt number *attempts* + 1."""
    wait = SCHEDULE[attempts] * (1 + JITTER * jitter)
    if result.failure is Failure.TIMEOUT or result.status in (429, 502, 504):
        wait = max(wait, SLOW_DOWN)
    if result.retry_after is None:
        return wait
    # A hint can make us wait longer, never hurry us; and nobody can park a delivery for a year.
    return max(wait, min(result.retry_after, max(2 * wait, LONGEST_HINT)))


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the wait a `Retry-After` header asks for, as seconds or as a date; None when it says nothing usable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # Nine digits are thirty years: more would overflow a timedelta and mean nothing.
        return timedelta(seconds=int(text[:9]))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)
