-- What was recorded during a call.
SELECT * FROM responses WHERE attempt_id = $1
