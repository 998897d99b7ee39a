-- Returns nothing; the record failed again.
UPDATE parked SET attempts = attempts + 1, reason = $2, next_attempt_at = $3 WHERE seq = $1
