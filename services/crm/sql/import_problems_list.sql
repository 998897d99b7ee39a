-- Returns what was not taken, in the order of rows, after a row and a position.
SELECT row_number, position, field, value, reason
FROM import_problems
WHERE import_id = $1 AND (row_number, position) > ($2, $3)
ORDER BY row_number, position
LIMIT $4
