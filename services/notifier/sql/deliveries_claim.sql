-- Takes due deliveries, each endpoint's share in turn, and returns all that is needed to send them.
WITH candidates AS (
    SELECT e.id AS endpoint_id, d.event_id, d.next_attempt_at
    FROM endpoints e
    LEFT JOIN unnest($4::uuid[], $5::integer[]) AS busy (endpoint_id, in_hand) ON busy.endpoint_id = e.id
    CROSS JOIN LATERAL (
        SELECT event_id, next_attempt_at
        FROM deliveries
        WHERE endpoint_id = e.id AND state = 'pending' AND next_attempt_at <= $1
        ORDER BY next_attempt_at
        -- A failing endpoint is tried with one delivery at a time: its time-outs must not fill the process.
        LIMIT greatest(0, CASE WHEN e.failing_since IS NULL THEN $6::integer ELSE 1 END - coalesce(busy.in_hand, 0))
        FOR UPDATE SKIP LOCKED
    ) AS d
    WHERE e.enabled
),
chosen AS (
    SELECT event_id, endpoint_id
    FROM (
        SELECT *, row_number() OVER (PARTITION BY endpoint_id ORDER BY next_attempt_at) AS turn FROM candidates
    ) AS ranked
    ORDER BY turn, next_attempt_at
    LIMIT $7
),
claimed AS (
    UPDATE deliveries d
    SET claim = $3, next_attempt_at = $2
    FROM chosen
    WHERE d.event_id = chosen.event_id AND d.endpoint_id = chosen.endpoint_id
    RETURNING d.event_id, d.endpoint_id, d.attempts
)
SELECT c.event_id, c.endpoint_id, c.attempts, e.url, w.payload, s.schemes, s.sealed
FROM claimed c
JOIN endpoints e ON e.id = c.endpoint_id
JOIN webhook_events w ON w.id = c.event_id
CROSS JOIN LATERAL (
    SELECT array_agg(scheme ORDER BY expires_at DESC NULLS FIRST) AS schemes,
        array_agg(sealed ORDER BY expires_at DESC NULLS FIRST) AS sealed
    FROM endpoint_secrets
    WHERE endpoint_id = e.id AND (expires_at IS NULL OR expires_at > $1)
) AS s
