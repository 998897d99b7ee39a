-- Takes due messages, the longest due first, until the lease ends, and returns them.
WITH due AS (
    SELECT id FROM messages
    WHERE state = 'pending' AND next_attempt_at <= $1
    ORDER BY next_attempt_at
    LIMIT $4
    FOR UPDATE SKIP LOCKED
)
UPDATE messages m
SET claim = $3, next_attempt_at = $2
FROM due
WHERE m.id = due.id
RETURNING m.*
