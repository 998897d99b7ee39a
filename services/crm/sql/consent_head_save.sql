-- Returns nothing; moves the head of a ledger.
UPDATE consent_heads SET sequence = $2 WHERE person_id = $1
