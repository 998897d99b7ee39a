-- Returns the account as edited, nothing when it is gone or has another version than $2.
UPDATE accounts
SET name = $3, roles = $4, partner_id = $5, team_ids = $6, disabled = $7, changed_at = $8, version = version + 1
WHERE id = $1 AND version = $2
RETURNING *
