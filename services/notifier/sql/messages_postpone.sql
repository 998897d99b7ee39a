-- Gives claimed messages back until later.
UPDATE messages m
SET next_attempt_at = r.next_attempt_at, reason = r.reason, attempts = m.attempts + 1, claim = NULL
FROM unnest($2::uuid[], $3::timestamptz[], $4::text[]) AS r (id, next_attempt_at, reason)
WHERE m.id = r.id AND m.claim = $1 AND m.state = 'pending'
