-- Returns nothing; ends every session of an account except, where given, one.
UPDATE sessions SET ended_at = $2, ended_because = $3
WHERE account_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $4::uuid
