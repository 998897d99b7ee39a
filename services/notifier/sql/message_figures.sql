-- Returns the counts of messages for the status page.
SELECT count(*) AS due,
    coalesce(extract(epoch FROM $1::timestamptz - min(next_attempt_at)), 0)::float8 AS lag_s,
    (SELECT count(*) FROM messages WHERE settled_at > $1::timestamptz - interval '1 minute') AS settled_per_minute
FROM messages
WHERE state = 'pending' AND next_attempt_at <= $1
