-- What pacing learned, if the pool is still this owner's.
INSERT INTO pacing_states (pool_id, state)
SELECT $1, $3::jsonb FROM leases WHERE pool_id = $1 AND epoch = $2
ON CONFLICT (pool_id) DO UPDATE SET state = excluded.state, saved_at = clock_timestamp()
RETURNING pool_id
