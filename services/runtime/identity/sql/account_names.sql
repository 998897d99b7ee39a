-- Returns the id and name of the accounts with these ids, disabled ones too.
SELECT id, name FROM accounts WHERE id = ANY($1::uuid[])
