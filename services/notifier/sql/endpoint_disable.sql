-- Disables an endpoint; returns its id if it was enabled until now.
UPDATE endpoints
SET enabled = false, disabled_reason = $2, disabled_at = $3, version = version + 1
WHERE id = $1 AND enabled
RETURNING id
