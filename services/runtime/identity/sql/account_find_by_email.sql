-- Returns the account with this address, in lower case; at most one row.
SELECT * FROM accounts WHERE email = $1
