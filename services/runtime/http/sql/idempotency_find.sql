-- Returns the request that holds the key and, once there is one, its answer; at most one row.
SELECT fingerprint, created_at, status, headers, body
FROM idempotency
WHERE principal = $1 AND route = $2 AND key = $3
