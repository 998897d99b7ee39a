-- Returns the parked records of a key in order, locked.
SELECT * FROM parked WHERE topic = $1 AND key = $2 ORDER BY seq LIMIT $3 FOR UPDATE
