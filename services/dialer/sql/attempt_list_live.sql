-- The pool's attempts that have not ended.
SELECT * FROM attempts WHERE pool_id = $1 AND ended_at IS NULL ORDER BY id
