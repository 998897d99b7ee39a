-- Nothing; the campaign's row is replaced by the given one.
UPDATE campaigns
SET name = $2, state = $3, pool_id = $4, script_id = $5, script_version = $6, audience_id = $7, plan = $8::jsonb,
    version = $9, launched_at = $10, ended_at = $11
WHERE id = $1
