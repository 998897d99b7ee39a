-- Returns nothing; the record was dealt with.
DELETE FROM parked WHERE seq = $1
