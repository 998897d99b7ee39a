-- How many leads of a campaign stand where, and what holds the waiting ones back.
SELECT 'waiting' AS state, NULL::text AS result, stream, held_by, next_at <= $2 AS due, count(*) AS leads,
    min(next_at) FILTER (WHERE next_at > $2) AS next_at
FROM leads WHERE campaign_id = $1 AND state = 'waiting'
GROUP BY stream, held_by, next_at <= $2
UNION ALL
SELECT state, result, NULL, NULL, false, count(*), NULL
FROM leads WHERE campaign_id = $1 AND state <> 'waiting'
GROUP BY state, result
