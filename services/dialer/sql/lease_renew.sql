-- The database's time when the lease was still ours and lives four seconds more; no row when it is lost.
UPDATE leases
SET expires_at = clock_timestamp() + interval '4 seconds'
WHERE pool_id = $1 AND epoch = $2 AND owner = $3
RETURNING clock_timestamp() AS database_at
