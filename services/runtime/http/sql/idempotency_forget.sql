-- Returns nothing; removes a few expired answers, so that every claim pays for the forgetting of others.
DELETE FROM idempotency
WHERE ctid IN (SELECT ctid FROM idempotency WHERE expires_at <= $1 LIMIT 10 FOR UPDATE SKIP LOCKED)
