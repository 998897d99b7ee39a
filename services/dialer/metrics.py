"""Prometheus metrics of the dialer; labels have a small, fixed set of values, never a number or a person."""

from prometheus_client import Counter, Gauge

from services.dialer.domain.attempts import Outcome

ATTEMPTS = Counter("dialer_attempts_total", "Attempts that reached their one outcome here.", ["outcome"])
ABANDON_RATIO = Gauge(
    "dialer_abandon_ratio",
    "Share of answered people who met no operator in time, since this process started (0 to 1).",
)
UNKNOWN_RINGS = Counter(
    "dialer_unknown_rings_total", "Rings at the carrier without an attempt here: the database was restored."
)

for _outcome in Outcome:  # every series stands from the start, so that a rate is never missing
    ATTEMPTS.labels(_outcome.value)


class _Answered:
    met = 0
    abandoned = 0


def note_outcome(outcome: Outcome) -> None:
    """Count an attempt that ended."""
    ATTEMPTS.labels(outcome.value).inc()
    _Answered.met += outcome is Outcome.ANSWERED
    _Answered.abandoned += outcome is Outcome.ABANDONED
    if answered := _Answered.met + _Answered.abandoned:
        ABANDON_RATIO.set(_Answered.abandoned / answered)
