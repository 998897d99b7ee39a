-- Returns the campaigns that take people who match later.
SELECT id, sequence, name, state, purpose, audience_id, walked_to, walked_at
FROM campaigns
WHERE state IN ('running', 'paused') AND audience_id IS NOT NULL
ORDER BY id
