-- Returns deliveries of an endpoint, the newest event first, each with its last attempt.
SELECT d.event_id, d.endpoint_id, w.type AS event_type, w.occurred_at, d.state, d.attempts, d.next_attempt_at,
    d.settled_at, a.status AS last_status, a.failure AS last_failure
FROM deliveries d
JOIN webhook_events w ON w.id = d.event_id
LEFT JOIN LATERAL (
    SELECT status, failure FROM delivery_attempts
    WHERE event_id = d.event_id AND endpoint_id = d.endpoint_id
    ORDER BY started_at DESC
    LIMIT 1
) AS a ON true
WHERE d.endpoint_id = $1 AND ($2::text IS NULL OR d.state = $2) AND ($3::uuid IS NULL OR d.event_id < $3)
ORDER BY d.event_id DESC
LIMIT $4
