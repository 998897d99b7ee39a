-- Nothing; a consent given after the refusal lifts it.
UPDATE people AS p
SET suppressed_at = NULL, suppressed_by = NULL
FROM unnest($1::uuid[], $2::timestamptz[]) AS g (contact_id, at)
WHERE p.contact_id = g.contact_id AND p.suppressed_at < g.at
