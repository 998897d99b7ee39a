-- What pacing learned under the last owner of a pool.
SELECT state FROM pacing_states WHERE pool_id = $1
