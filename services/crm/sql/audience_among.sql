-- Returns which of the given contacts fit; the filter's condition takes the place of "true /* filter */".
SELECT c.id
FROM unnest($1::uuid[]) AS wanted (id)
JOIN contacts c ON c.id = wanted.id
WHERE c.erased_at IS NULL AND true /* filter */
ORDER BY c.id
