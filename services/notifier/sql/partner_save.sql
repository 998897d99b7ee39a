-- Writes a changed partner if it still has the expected version; returns its id.
UPDATE partners SET name = $2, campaign_ids = $3, version = version + 1 WHERE id = $1 AND version = $4 RETURNING id
