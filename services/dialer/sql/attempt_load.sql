-- One attempt.
SELECT * FROM attempts WHERE id = $1
