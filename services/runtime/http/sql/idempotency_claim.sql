-- Returns one row if the key was free or has expired and is now claimed by this request, else nothing.
INSERT INTO idempotency AS old (principal, route, key, fingerprint, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (principal, route, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = NULL, headers = NULL, body = NULL,
    created_at = excluded.created_at, expires_at = excluded.expires_at
WHERE old.expires_at <= excluded.created_at
RETURNING true AS claimed
