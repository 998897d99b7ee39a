-- Returns the last sequence of a person's ledger, zero when it has no line, and keeps it locked.
INSERT INTO consent_heads AS head (person_id, sequence) VALUES ($1, 0)
ON CONFLICT (person_id) DO UPDATE SET sequence = head.sequence
RETURNING sequence
