"""Prometheus metrics of the dialer; labels have a small, fixed set of values, never a number or a person."""

from prometheus_client import Counter, Gauge, Histogram

from services.dialer.domain.attempts import Outcome

ATTEMPTS = Counter("dialer_attempts_total", "Attempts that reached their one outcome here.", ["outcome"])
ABANDON_RATIO = Gauge(
    "dialer_abandon_ratio",
    "Share of answered people who met no operator in time, since this process started (0 to 1).",
)
ORIGINATE = Histogram(
    "dialer_originate_seconds",
    "From the reservation of an attempt to its dial: the channel, the trunk's slot, the last check under lock.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ARI_CONNECTED = Gauge("ari_ws_connected", "Pools of this instance whose line of events to the carrier is up.")
ARI_RESYNCS = Counter("ari_resync_total", "How often channels were matched with what is stored, after a connection.")
ARI_EVENT_LAG = Gauge("ari_event_lag_seconds", "How old the carrier's last event was when it arrived, by its own time.")
POOL_FAILURES = Counter("dialer_pool_failures_total", "How often the owner of a pool ended by a failure of its own.")
CAMPAIGN_FAILURES = Counter("dialer_campaign_failures_total", "How often work for a campaign failed by a bug.")
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
