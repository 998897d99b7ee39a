-- Returns a campaign whose walk is not over and that nobody else walks, locked.
SELECT id, sequence, name, state, purpose, audience_id, walked_to, walked_at
FROM campaigns
WHERE walked_at IS NULL AND state IN ('running', 'paused') AND audience_id IS NOT NULL
ORDER BY id
LIMIT 1
FOR UPDATE SKIP LOCKED
