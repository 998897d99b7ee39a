-- Returns nothing; begins a session.
INSERT INTO sessions (id, account_id, rotated_at, created_at, expires_at) VALUES ($1, $2, $3, $3, $4)
