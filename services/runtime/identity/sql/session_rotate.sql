-- Returns nothing; the next refresh token of the session becomes the only good one.
UPDATE sessions SET generation = generation + 1, rotated_at = $2 WHERE id = $1
