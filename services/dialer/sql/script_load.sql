-- One version of a script.
SELECT body FROM scripts WHERE id = $1 AND version = $2
