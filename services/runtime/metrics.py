"""Prometheus metrics of the scaffolding; names and units follow the naming practices of Prometheus.

No label ever holds a number, a call or a person: every label has a small, fixed set of values.
"""

from prometheus_client import Counter, Gauge, Histogram

FACTS_PUBLISHED = Counter("outbox_published_total", "Facts that the broker has taken.", ["service", "topic"])
OUTBOX_OLDEST_AGE = Gauge("outbox_oldest_age_seconds", "Age of the oldest fact that waits to be sent.", ["service"])
OUTBOX_ROWS = Gauge("outbox_rows", "Facts in the outbox, by state.", ["service", "state"])
PUBLISH_FAILURES = Counter("outbox_publish_failures_total", "Batches that the broker has not confirmed.", ["service"])

RECORDS_CONSUMED = Counter("consumer_records_total", "Records read, by what became of them.", ["service", "outcome"])
CONSUMER_LAG = Gauge("consumer_lag_records", "Records in the assigned partitions that are not read yet.", ["service"])
CONSUMER_LAST_POLL = Gauge("consumer_last_poll_timestamp_seconds", "When the consumer last asked.", ["service"])
CONSUMER_BATCH = Histogram(
    "consumer_batch_seconds",
    "Time to apply and commit one batch.",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
INBOX_DUPLICATES = Counter("inbox_duplicates_total", "Records whose effect was there already.", ["service"])
DEAD_LETTERS = Counter("dlq_total", "Records that became dead letters.", ["service", "topic"])
PARKED_KEYS = Gauge("parked_keys", "Keys whose records wait for a cause to be mended.", ["service"])
RECORDS_MISSING = Counter(
    "consumer_records_missing_total", "Gaps in a producer's chain that reading again did not close.", ["service"]
)

BROKER_EPOCHS_RAISED = Counter("broker_epochs_raised_total", "Logs of topics that had to begin anew.", ["service"])
SHARDS_OWNED = Gauge("shards_owned", "Shards that this instance relays and reads.", ["service"])
EVENT_LOOP_LAG = Gauge("event_loop_lag_seconds", "How late a timer of the event loop last fired.")
PG_POOL_WAIT = Histogram(
    "pg_pool_wait_seconds",
    "Time to get a connection from the pool.",
    buckets=(0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 5),
)
