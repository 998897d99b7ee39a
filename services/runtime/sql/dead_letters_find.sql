-- Returns the dead letter or parked record of an id, whole.
SELECT id, 'dead' AS state, topic, partition, record_offset, produced_at, key, value, headers, reason, 0 AS attempts,
    dead_at AS since
FROM dead_letters
WHERE id = $1
UNION ALL
SELECT id, 'parked', topic, partition, record_offset, produced_at, key, value, headers, reason, attempts, parked_at
FROM parked
WHERE id = $1
