-- Returns the id when the claim still holds; ends the import.
UPDATE imports SET state = CASE WHEN $4::text IS NULL THEN 'done' ELSE 'failed' END, finished_at = $3, failure = $4
WHERE id = $1 AND claim = $2
RETURNING id
