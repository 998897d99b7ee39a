-- Returns dead letters and parked records, newest first; the body of none.
SELECT id, 'dead' AS state, topic, partition, record_offset, produced_at, reason, 0 AS attempts, dead_at AS since
FROM dead_letters
WHERE $1::text IS NULL OR topic = $1
UNION ALL
SELECT id, 'parked', topic, partition, record_offset, produced_at, reason, attempts, parked_at
FROM parked
WHERE $1::text IS NULL OR topic = $1
ORDER BY since DESC
LIMIT $2
