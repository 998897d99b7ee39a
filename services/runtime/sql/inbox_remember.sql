-- Returns the ids that were not known before.
INSERT INTO inbox (id, expires_on)
SELECT * FROM unnest($1::uuid[], $2::date[])
ON CONFLICT DO NOTHING
RETURNING id
