-- Returns the new account; a taken address violates accounts_email, a taken id accounts_pkey.
INSERT INTO accounts (id, email, name, password_hash, roles, partner_id, team_ids, demo, created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
RETURNING *
