-- Returns nothing; parks records in the given order, a repeat only once.
INSERT INTO parked (id, topic, partition, record_offset, produced_at, key, value, headers, reason, next_attempt_at)
SELECT id, topic, partition, record_offset, produced_at, key, value, headers::jsonb, reason, next_attempt_at
FROM unnest(
    $1::uuid[], $2::text[], $3::smallint[], $4::bigint[], $5::timestamptz[], $6::bytea[], $7::bytea[], $8::text[],
    $9::text[], $10::timestamptz[]
) WITH ORDINALITY AS r (
    id, topic, partition, record_offset, produced_at, key, value, headers, reason, next_attempt_at, position
)
ORDER BY position
ON CONFLICT (id) DO NOTHING
