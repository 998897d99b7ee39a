-- A campaign's changes, newest first, before a version.
SELECT version, change, before, after, at, by FROM campaign_changes
WHERE campaign_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3
