-- Attempts of a campaign, newest first, before an id.
SELECT * FROM attempts WHERE campaign_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
