-- For each person and span: how many attempts rang, or still may, since its start, and when the oldest of them began.
SELECT w.ordinal, count(a.id) AS rung, min(a.reserved_at) AS oldest_at
FROM unnest($1::int[], $2::uuid[], $3::timestamptz[]) AS w (ordinal, contact_id, since)
JOIN attempts AS a
    ON a.contact_id = w.contact_id AND a.reserved_at > w.since AND a.outcome IS DISTINCT FROM 'cancelled'
GROUP BY w.ordinal
