-- Returns how many of the given records were not dead letters before.
WITH added AS (
    INSERT INTO dead_letters (id, topic, partition, record_offset, produced_at, key, value, headers, reason)
    SELECT id, topic, partition, record_offset, produced_at, key, value, headers::jsonb, reason
    FROM unnest(
        $1::uuid[], $2::text[], $3::smallint[], $4::bigint[], $5::timestamptz[], $6::bytea[], $7::bytea[],
        $8::text[], $9::text[]
    ) AS r (id, topic, partition, record_offset, produced_at, key, value, headers, reason)
    ON CONFLICT (id) DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM added
