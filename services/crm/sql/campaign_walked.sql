-- Returns nothing; notes how far a walk has come.
UPDATE campaigns SET walked_to = $2, walked_at = $3 WHERE id = $1
