-- Returns the campaigns that the person was in.
UPDATE enrolments SET withdrawn_at = $2 WHERE contact_id = $1 AND withdrawn_at IS NULL RETURNING campaign_id
