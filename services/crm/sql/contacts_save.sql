-- Returns nothing; inserts new contacts and overwrites known ones.
INSERT INTO contacts (
    id, external_id, name, language, country, region, postal_code, time_zone, email, relationship, relationship_since,
    attributes, sequence, fingerprint, created_at, changed_at, erased_at
)
SELECT *
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::date[], $12::jsonb[], $13::bigint[], $14::bytea[], $15::timestamptz[], $16::timestamptz[],
    $17::timestamptz[]
)
ON CONFLICT (id) DO UPDATE SET
    external_id = excluded.external_id, name = excluded.name, language = excluded.language,
    country = excluded.country, region = excluded.region, postal_code = excluded.postal_code,
    time_zone = excluded.time_zone, email = excluded.email, relationship = excluded.relationship,
    relationship_since = excluded.relationship_since, attributes = excluded.attributes,
    sequence = excluded.sequence, fingerprint = excluded.fingerprint, changed_at = excluded.changed_at,
    erased_at = excluded.erased_at
