-- Returns the account with this id; at most one row.
SELECT * FROM accounts WHERE id = $1
