-- The next leads of one queue of a campaign at one priority, by time.
SELECT * FROM leads
WHERE campaign_id = $1 AND stream = $2 AND priority = $3 AND state = 'waiting' AND next_at <= $4
ORDER BY next_at, id
LIMIT $5
