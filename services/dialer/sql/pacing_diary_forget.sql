-- Decisions that nobody asks for any more.
DELETE FROM pacing_diary WHERE pool_id = $1 AND at < $2
