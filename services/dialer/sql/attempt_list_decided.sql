-- Attempts with their stored decisions, oldest first, after an instant and an id.
SELECT id, campaign_id, reserved_at, decision FROM attempts
WHERE (reserved_at, id) > ($1, $2) AND reserved_at < $3 AND ($4::uuid IS NULL OR campaign_id = $4)
ORDER BY reserved_at, id LIMIT $5
