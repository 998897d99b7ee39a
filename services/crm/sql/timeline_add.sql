-- Returns nothing; writes timeline entries.
INSERT INTO timeline (contact_id, at, id, kind, body)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::jsonb[])
ON CONFLICT (contact_id, at, id) DO NOTHING
