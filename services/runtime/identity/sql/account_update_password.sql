-- Returns the account's version after its password was replaced, nothing when it is gone.
UPDATE accounts SET password_hash = $2, demo = false, changed_at = $3, version = version + 1
WHERE id = $1
RETURNING version
