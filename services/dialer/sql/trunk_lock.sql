-- These trunks, locked until the end of the transaction.
SELECT *, current_date AS today FROM trunks WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE
