-- The pool's operators who are not offline.
SELECT * FROM operators WHERE pool_id = $1 AND state <> 'offline' ORDER BY id
