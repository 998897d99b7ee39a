-- Returns one delivery with its last attempt and its payload.
SELECT d.event_id, d.endpoint_id, w.type AS event_type, w.occurred_at, d.state, d.attempts, d.next_attempt_at,
    d.settled_at, a.status AS last_status, a.failure AS last_failure, w.payload
FROM deliveries d
JOIN webhook_events w ON w.id = d.event_id
LEFT JOIN LATERAL (
    SELECT status, failure FROM delivery_attempts
    WHERE event_id = d.event_id AND endpoint_id = d.endpoint_id
    ORDER BY started_at DESC
    LIMIT 1
) AS a ON true
WHERE d.endpoint_id = $1 AND d.event_id = $2
