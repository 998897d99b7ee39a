-- Nothing; the people are suppressed from now on, if they were not before.
INSERT INTO people (contact_id, suppressed_at, suppressed_by)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[])
ON CONFLICT (contact_id) DO UPDATE
SET suppressed_at = coalesce(people.suppressed_at, excluded.suppressed_at),
    suppressed_by = coalesce(people.suppressed_by, excluded.suppressed_by)
