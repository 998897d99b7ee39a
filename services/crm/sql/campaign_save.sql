-- Returns nothing; writes what the dialer said about a campaign, unless something later is known.
INSERT INTO campaigns AS known (id, sequence, name, state, purpose, audience_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET
    sequence = excluded.sequence, name = excluded.name, state = excluded.state, purpose = excluded.purpose,
    audience_id = excluded.audience_id,
    walked_to = CASE WHEN known.audience_id IS NOT DISTINCT FROM excluded.audience_id THEN known.walked_to END,
    walked_at = CASE WHEN known.audience_id IS NOT DISTINCT FROM excluded.audience_id THEN known.walked_at END
WHERE known.sequence < excluded.sequence
