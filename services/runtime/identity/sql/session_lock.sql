-- Returns the session with this id, locked until commit; at most one row.
SELECT id, account_id, generation, rotated_at, expires_at, ended_at FROM sessions WHERE id = $1 FOR UPDATE
