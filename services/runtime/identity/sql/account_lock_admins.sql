-- Returns the ids of all administrators who can sign in, locked until commit.
SELECT id FROM accounts WHERE 'admin' = ANY(roles) AND NOT disabled ORDER BY id FOR UPDATE
