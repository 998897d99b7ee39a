-- Returns one row when the subject may try now, and counts the try as failed until it is forgiven; nothing when locked.
INSERT INTO sign_in_attempts AS old (subject, failures, tried_at, locked_until)
VALUES ($1, 1, $2, $2)
ON CONFLICT (subject) DO UPDATE
SET failures = CASE WHEN old.tried_at < $2 - interval '1 hour' THEN 1 ELSE least(old.failures, 1000) + 1 END,
    tried_at = $2,
    locked_until = CASE
        WHEN old.tried_at < $2 - interval '1 hour' OR old.failures + 1 < $3 THEN $2
        ELSE $2 + interval '15 seconds' * (2 ^ least(old.failures + 1 - $3, 6))
    END
WHERE old.locked_until <= $2
RETURNING failures
