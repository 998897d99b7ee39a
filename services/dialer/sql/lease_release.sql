-- Nothing; the pool is free at once if it was still ours.
UPDATE leases SET expires_at = '-infinity', owner = NULL WHERE pool_id = $1 AND epoch = $2 AND owner = $3
