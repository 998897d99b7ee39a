-- Returns the contact with its numbers in order, erased or not, locked.
SELECT c.id, c.external_id, c.name, c.language, c.country, c.region, c.postal_code, c.time_zone, c.email,
    c.relationship, c.relationship_since, c.attributes, c.sequence, c.created_at, c.changed_at, c.erased_at,
    (SELECT array_agg(n.e164 ORDER BY n.position) FROM contact_numbers n WHERE n.contact_id = c.id) AS numbers,
    (SELECT array_agg(n.kind ORDER BY n.position) FROM contact_numbers n WHERE n.contact_id = c.id) AS kinds
FROM contacts c
WHERE c.id = $1
FOR UPDATE OF c
