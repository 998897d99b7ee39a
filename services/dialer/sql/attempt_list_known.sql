-- Those of these ids that are attempts.
SELECT id FROM attempts WHERE id = ANY($1::uuid[])
