-- How a campaign's attempts ended, since an instant.
SELECT coalesce(outcome, 'live') AS outcome, count(*) AS attempts,
    coalesce(sum(extract(epoch FROM ended_at - connected_at)), 0)::float8 AS talk_s
FROM attempts WHERE campaign_id = $1 AND reserved_at >= $2
GROUP BY 1
