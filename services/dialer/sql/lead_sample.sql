-- At most $4 leads of a campaign that wait for a call whose time comes between two instants, drawn by lot.
SELECT * FROM leads
WHERE campaign_id = $1 AND state = 'waiting' AND stream <> 3 AND next_at > $2 AND next_at <= $3
ORDER BY random()
LIMIT $4
