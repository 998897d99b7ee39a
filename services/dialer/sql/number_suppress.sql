-- Nothing; the numbers are suppressed from now on, if they were not before.
INSERT INTO suppressed_numbers (digest, suppressed_at, source)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[])
ON CONFLICT (digest) DO NOTHING
