-- A pool's decisions since an instant, the newest first.
SELECT at, dial, explain, shadow FROM pacing_diary WHERE pool_id = $1 AND at >= $2 ORDER BY at DESC LIMIT $3
