-- The ids of the unknown rings that were not found before.
INSERT INTO unknown_rings (attempt_id, number_digest, rang_at, found_at)
SELECT attempt_id, number_digest, rang_at, clock_timestamp()
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS ring (attempt_id, number_digest, rang_at)
ON CONFLICT (attempt_id) DO NOTHING
RETURNING attempt_id
