-- A campaign's waiting leads after an id.
SELECT * FROM leads WHERE campaign_id = $1 AND state = 'waiting' AND id > $2 ORDER BY id LIMIT $3
