-- Writes attempts into the log and what follows for their deliveries, if they are still claimed by the one who sent.
WITH results AS (
    SELECT *
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::text[],
        $8::text[], $9::smallint[], $10::text[], $11::text[], $12::text[], $13::bytea[], $14::text[], $15::timestamptz[]
    ) AS r (
        id, event_id, endpoint_id, claim, started_at, ended_at, url,
        request_headers, status, failure, detail, response_headers, response_body, state, next_attempt_at
    )
),
logged AS (
    INSERT INTO delivery_attempts (
        id, event_id, endpoint_id, started_at, duration_ms, url, request_headers, status, failure, detail,
        response_headers, response_body
    )
    SELECT id, event_id, endpoint_id, started_at,
        (1000 * extract(epoch FROM ended_at - started_at))::integer, url, request_headers::jsonb, status, failure,
        detail, response_headers::jsonb, response_body
    FROM results
)
UPDATE deliveries d
SET state = CASE WHEN r.state = 'pending' AND NOT e.enabled THEN 'held' ELSE r.state END,
    attempts = d.attempts + 1,
    next_attempt_at = coalesce(r.next_attempt_at, d.next_attempt_at),
    settled_at = CASE WHEN r.state IN ('delivered', 'exhausted') THEN r.ended_at END,
    claim = NULL
FROM results r JOIN endpoints e ON e.id = r.endpoint_id
WHERE d.event_id = r.event_id AND d.endpoint_id = r.endpoint_id AND d.claim = r.claim
