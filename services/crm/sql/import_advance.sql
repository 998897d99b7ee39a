-- Returns the id when the claim still holds; moves the resume point and adds the counts.
UPDATE imports SET
    last_row = $3, position_bytes = $4, created = created + $5, updated = updated + $6, unchanged = unchanged + $7,
    rejected = rejected + $8, claimed_until = $9, claims = 0
WHERE id = $1 AND claim = $2 AND last_row < $3
RETURNING id
