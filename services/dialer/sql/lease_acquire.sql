-- The new epoch and the database's time when the lease had run out and is now ours; no row when somebody holds it.
UPDATE leases
SET owner = $2, address = $3, epoch = epoch + 1, expires_at = clock_timestamp() + interval '4 seconds'
WHERE pool_id = $1 AND expires_at < clock_timestamp()
RETURNING epoch, clock_timestamp() AS database_at
