-- Returns the counts of deliveries and endpoints for the status page.
SELECT
    count(*) FILTER (WHERE d.next_attempt_at <= $1) AS due,
    count(*) FILTER (WHERE d.next_attempt_at > $1) AS waiting,
    coalesce(extract(epoch FROM $1 - min(d.next_attempt_at) FILTER (WHERE d.next_attempt_at <= $1)), 0)::float8 AS lag_s,
    (SELECT count(*) FROM deliveries WHERE settled_at > $1::timestamptz - interval '1 minute' AND state = 'delivered')
        AS delivered_per_minute,
    (SELECT count(*) FROM deliveries WHERE settled_at > $1::timestamptz - interval '1 minute' AND state = 'exhausted')
        AS exhausted_per_minute,
    (SELECT count(*) FROM endpoints WHERE NOT enabled AND removed_at IS NULL) AS disabled_endpoints
FROM deliveries d
WHERE d.state = 'pending'
