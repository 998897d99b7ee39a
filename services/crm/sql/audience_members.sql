-- Returns the next contacts that fit, after an id; the filter's condition takes the place of "true /* filter */".
SELECT c.id FROM contacts c WHERE c.id > $1 AND c.erased_at IS NULL AND true /* filter */ ORDER BY c.id LIMIT $2
