-- The versions of these operators, locked until the end of the transaction.
SELECT id, version FROM operators WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
