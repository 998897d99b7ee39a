-- Returns the id of a parked record that is now due at once.
UPDATE parked SET next_attempt_at = now() WHERE id = $1 RETURNING id
