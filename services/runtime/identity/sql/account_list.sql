-- Returns accounts by address, those after the given one; at most $2 rows.
SELECT * FROM accounts WHERE email > coalesce($1::text, '') ORDER BY email LIMIT $2
