-- Returns nothing; removes a few sessions that expired a while ago.
DELETE FROM sessions
WHERE ctid IN (SELECT ctid FROM sessions WHERE expires_at <= $1 LIMIT 10 FOR UPDATE SKIP LOCKED)
