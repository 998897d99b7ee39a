-- Makes exhausted and held deliveries due again, the oldest events first; returns how many.
WITH chosen AS (
    SELECT d.event_id
    FROM deliveries d JOIN webhook_events w ON w.id = d.event_id
    WHERE d.endpoint_id = $1 AND d.state IN ('exhausted', 'held') AND w.stored_at >= $2
    ORDER BY w.stored_at
    LIMIT $4
    FOR UPDATE OF d SKIP LOCKED
),
replayed AS (
    UPDATE deliveries d
    SET state = 'pending', attempts = 0, next_attempt_at = $3, settled_at = NULL, claim = NULL
    FROM chosen
    WHERE d.endpoint_id = $1 AND d.event_id = chosen.event_id
    RETURNING 1
)
SELECT count(*) FROM replayed
