-- The versions of these attempts, locked until the end of the transaction.
SELECT id, version FROM attempts WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
