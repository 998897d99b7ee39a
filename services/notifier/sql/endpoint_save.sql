-- Writes a changed endpoint.
UPDATE endpoints
SET url = $2, description = $3, subscriptions = $4, enabled = $5, disabled_reason = $6, disabled_at = $7,
    failing_since = $8, failures = $9, version = version + 1
WHERE id = $1
