-- Nothing; a draft is made.
INSERT INTO campaigns (id, name, state, pool_id, script_id, script_version, audience_id, plan, version, created_at)
VALUES ($1, $2, 'draft', $3, $4, $5, $6, $7::jsonb, 1, $8)
