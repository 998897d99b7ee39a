-- Returns nothing; adds what is known about attempts to what was known.
INSERT INTO handlings AS known (attempt_id, contact_id, operator_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
ON CONFLICT (attempt_id) DO UPDATE SET
    contact_id = coalesce(excluded.contact_id, known.contact_id),
    operator_id = coalesce(excluded.operator_id, known.operator_id)
