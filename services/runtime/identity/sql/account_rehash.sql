-- Returns nothing; replaces a hash by a stronger one of the same password.
UPDATE accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2
