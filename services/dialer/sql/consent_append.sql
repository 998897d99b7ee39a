-- Nothing; lines of the consent ledger, each once.
INSERT INTO consents (contact_id, sequence, kind, purpose, channel, given_at, outside_hours)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bool[])
ON CONFLICT DO NOTHING
