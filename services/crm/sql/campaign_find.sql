-- Returns the campaign.
SELECT id, sequence, name, state, purpose, audience_id, walked_to, walked_at FROM campaigns WHERE id = $1
