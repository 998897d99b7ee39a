-- These leads, locked until the end of the transaction.
SELECT * FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
