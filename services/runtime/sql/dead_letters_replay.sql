-- Returns the id of a dead letter that was put behind the parked records of its key, due at once.
WITH letter AS (
    DELETE FROM dead_letters WHERE id = $1 RETURNING *
)
INSERT INTO parked (id, topic, partition, record_offset, produced_at, key, value, headers, reason, next_attempt_at)
SELECT id, topic, partition, record_offset, produced_at, coalesce(key, uuid_send(id)), coalesce(value, ''::bytea),
    headers, 'replayed: ' || reason, now()
FROM letter
RETURNING id
