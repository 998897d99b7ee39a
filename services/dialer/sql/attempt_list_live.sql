-- The pool's attempts that have not ended.
SELECT * FROM attempts WHERE pool_id = $1 AND state <> 'ended' ORDER BY id
