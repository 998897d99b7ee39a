-- Campaigns, newest first, before an id.
SELECT * FROM campaigns WHERE id < $1 ORDER BY id DESC LIMIT $2
