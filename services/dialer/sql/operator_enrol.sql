-- The operator's row; made offline in the given pool when there was none, renamed when the name changed.
INSERT INTO operators (id, name, pool_id, state, since) VALUES ($1, $2, $3, 'offline', $4)
ON CONFLICT (id) DO UPDATE SET name = excluded.name
RETURNING *
