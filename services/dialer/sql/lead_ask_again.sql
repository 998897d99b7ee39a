-- Leads that one of some rules has put off, at most $3 of them, are due again; one row for each.
UPDATE leads AS l SET next_at = $2, held_by = NULL, version = l.version + 1
FROM (
    SELECT id FROM leads
    WHERE state = 'waiting' AND held_by = ANY($1::text[]) AND next_at > $2
    ORDER BY id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
) AS held
WHERE l.id = held.id
RETURNING l.id
