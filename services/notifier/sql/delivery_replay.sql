-- Makes one delivery due again, with a schedule of its own; returns its event.
UPDATE deliveries
SET state = 'pending', attempts = 0, next_attempt_at = $3, settled_at = NULL, claim = NULL
WHERE endpoint_id = $1 AND event_id = $2
RETURNING event_id
