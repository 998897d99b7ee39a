-- These attempts, locked until the end of the transaction.
SELECT * FROM attempts WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
