-- Returns nothing; writes a line of a ledger.
INSERT INTO consents (
    person_id, sequence, change, kind, channel, purpose, at, source, outside_hours, expires_at, recorded_at, recorded_by
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
