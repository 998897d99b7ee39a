-- Returns the contacts with one of the external ids or fingerprints, locked in the order of their ids.
SELECT c.id, c.external_id, c.name, c.language, c.country, c.region, c.postal_code, c.time_zone, c.email,
    c.relationship, c.relationship_since, c.attributes, c.sequence, c.created_at, c.changed_at, c.erased_at,
    (SELECT array_agg(n.e164 ORDER BY n.position) FROM contact_numbers n WHERE n.contact_id = c.id) AS numbers,
    (SELECT array_agg(n.kind ORDER BY n.position) FROM contact_numbers n WHERE n.contact_id = c.id) AS kinds
FROM contacts c
WHERE c.id IN (
    -- One look into an index per value: a plan that compares a thousand values with every row takes over otherwise.
    SELECT alike.id
    FROM unnest($1::text[]) AS wanted (external_id)
    CROSS JOIN LATERAL (SELECT id FROM contacts k WHERE k.external_id = wanted.external_id LIMIT 1) AS alike
    UNION
    SELECT alike.id
    FROM unnest($2::bytea[]) AS wanted (fingerprint)
    CROSS JOIN LATERAL (
        SELECT id FROM contacts k WHERE k.fingerprint = wanted.fingerprint AND k.external_id IS NULL LIMIT 1
    ) AS alike
    UNION
    SELECT alike.id
    FROM unnest($2::bytea[]) AS wanted (fingerprint)
    CROSS JOIN LATERAL (
        SELECT id FROM contacts k WHERE k.fingerprint = wanted.fingerprint ORDER BY k.id LIMIT 20
    ) AS alike
)
ORDER BY c.id
FOR UPDATE OF c
