-- These operators, locked until the end of the transaction.
SELECT * FROM operators WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
