"""The outbox: facts are written with the change that makes them true, then published by one relay per shard."""

from services.runtime.outbox.append import MAX_PAYLOAD_BYTES, OutboxSignal, append, shard_of, to_columns, to_payload
from services.runtime.outbox.relay import OutboxRelay, Watermark
from services.runtime.outbox.retention import Retention, forget, republish

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "OutboxRelay",
    "OutboxSignal",
    "Retention",
    "Watermark",
    "append",
    "forget",
    "republish",
    "shard_of",
    "to_columns",
    "to_payload",
]
