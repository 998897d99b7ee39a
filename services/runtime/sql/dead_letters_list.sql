-- Returns dead letters and parked records, newest first, from before the given place on; the body of none.
SELECT id, state, topic, partition, record_offset, produced_at, reason, attempts, since
FROM (
    SELECT id, 'dead' AS state, topic, partition, record_offset, produced_at, reason, 0 AS attempts, dead_at AS since
    FROM dead_letters
    UNION ALL
    SELECT id, 'parked', topic, partition, record_offset, produced_at, reason, attempts, parked_at
    FROM parked
) AS kept
WHERE ($1::text IS NULL OR topic = $1)
    AND ($2::text IS NULL OR state = $2)
    AND ($3::timestamptz IS NULL OR (since, id) < ($3, $4::uuid))
ORDER BY since DESC, id DESC
LIMIT $5
