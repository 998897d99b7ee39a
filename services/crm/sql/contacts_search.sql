-- Returns contacts that fit all that is asked (null asks nothing), in the order of their ids.
SELECT c.id, c.external_id, c.name, c.language, c.country, c.region, c.postal_code, c.time_zone, c.email,
    c.relationship, c.relationship_since, c.attributes, c.sequence, c.created_at, c.changed_at, c.erased_at,
    (SELECT array_agg(n.e164 ORDER BY n.position) FROM contact_numbers n WHERE n.contact_id = c.id) AS numbers,
    (SELECT array_agg(n.kind ORDER BY n.position) FROM contact_numbers n WHERE n.contact_id = c.id) AS kinds
FROM contacts c
WHERE c.erased_at IS NULL
    AND ($1::text IS NULL OR c.id IN (SELECT n.contact_id FROM contact_numbers n WHERE n.e164 = $1))
    AND ($2::text IS NULL OR c.external_id = $2)
    AND ($3::text IS NULL OR lower(c.name) LIKE $3)
    AND ($4::uuid IS NULL OR c.id > $4)
ORDER BY c.id
LIMIT $5
