-- Returns the secrets of an endpoint that sign now, the current one first.
SELECT id, endpoint_id, scheme, sealed, created_at, expires_at
FROM endpoint_secrets
WHERE endpoint_id = $1 AND (expires_at IS NULL OR expires_at > $2)
ORDER BY expires_at DESC NULLS FIRST
