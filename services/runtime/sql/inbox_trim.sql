-- Returns how many remembered events were deleted because nothing can repeat them any more.
WITH gone AS (
    DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE expires_on < $1 LIMIT $2) RETURNING 1
)
SELECT count(*) FROM gone
