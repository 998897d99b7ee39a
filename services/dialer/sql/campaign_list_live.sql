-- The pool's campaigns that run or pause.
SELECT * FROM campaigns WHERE pool_id = $1 AND state IN ('running', 'paused') ORDER BY id
