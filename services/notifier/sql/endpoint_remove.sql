-- Takes an endpoint out of sight and lets nothing more be sent to it.
WITH removed AS (
    UPDATE endpoints SET removed_at = $2, enabled = false, disabled_at = coalesce(disabled_at, $2) WHERE id = $1
),
forgotten AS (
    DELETE FROM endpoint_secrets WHERE endpoint_id = $1
)
UPDATE deliveries SET state = 'held', claim = NULL WHERE endpoint_id = $1 AND state = 'pending'
