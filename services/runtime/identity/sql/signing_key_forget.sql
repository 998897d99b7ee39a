-- Returns nothing; removes all keys but the newest few.
DELETE FROM signing_keys
WHERE kid NOT IN (SELECT kid FROM signing_keys ORDER BY created_at DESC, kid LIMIT $1)
