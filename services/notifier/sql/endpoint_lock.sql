-- Returns one endpoint that was not removed, locked.
SELECT id, partner_id, url, description, subscriptions, enabled, disabled_reason, disabled_at, failing_since, failures,
    version, created_at
FROM endpoints
WHERE id = $1 AND removed_at IS NULL
FOR UPDATE
