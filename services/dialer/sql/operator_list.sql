-- These operators.
SELECT * FROM operators WHERE id = ANY($1::uuid[]) ORDER BY id
