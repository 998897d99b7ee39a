-- Stores public events and their deliveries; what is there already stays.
WITH events AS (
    INSERT INTO webhook_events (id, type, occurred_at, stored_at, payload)
    SELECT id, type, occurred_at, $1, payload
    FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[]) AS new (id, type, occurred_at, payload)
    ON CONFLICT DO NOTHING
)
INSERT INTO deliveries (event_id, endpoint_id, state, next_attempt_at)
SELECT event_id, endpoint_id, CASE WHEN enabled THEN 'pending' ELSE 'held' END, $1
FROM unnest($6::uuid[], $7::uuid[], $8::boolean[]) AS new (event_id, endpoint_id, enabled)
ON CONFLICT DO NOTHING
