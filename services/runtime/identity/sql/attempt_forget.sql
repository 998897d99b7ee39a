-- Returns nothing; removes a few subjects that have not tried since the given instant.
DELETE FROM sign_in_attempts
WHERE ctid IN (SELECT ctid FROM sign_in_attempts WHERE tried_at < $1 LIMIT 10 FOR UPDATE SKIP LOCKED)
