-- Deletes old events with their deliveries and attempts, oldest first; returns how many events.
WITH old AS (
    SELECT id FROM webhook_events WHERE stored_at < $1 ORDER BY stored_at LIMIT $2
),
gone AS (
    DELETE FROM webhook_events w USING old WHERE w.id = old.id RETURNING 1
)
SELECT count(*) FROM gone
