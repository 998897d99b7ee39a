-- How many leads of a campaign stand where, and what holds the waiting ones back.
SELECT state, result, stream, CASE WHEN state = 'waiting' THEN held_by END AS held_by,
    state = 'waiting' AND next_at <= $2 AS due, count(*) AS leads,
    min(next_at) FILTER (WHERE state = 'waiting' AND next_at > $2) AS next_at
FROM leads WHERE campaign_id = $1
GROUP BY 1, 2, 3, 4, 5
