-- Returns nothing; writes numbers of contacts.
INSERT INTO contact_numbers (contact_id, position, e164, kind, digest)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::text[])
