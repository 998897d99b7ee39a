-- The number of the change.
INSERT INTO pack_changes (id, before, after, at, by) VALUES ($1, $2, $3, $4, $5) RETURNING number
