-- Returns the endpoints of a partner, oldest first.
SELECT id, partner_id, url, description, subscriptions, enabled, disabled_reason, disabled_at, failing_since, failures,
    version, created_at
FROM endpoints
WHERE partner_id = $1 AND removed_at IS NULL
ORDER BY created_at, id
