-- The versions of these leads, locked until the end of the transaction.
SELECT id, version FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
