-- The newest version of a script, locked by its number so that two editors do not make the same one.
SELECT id, version, name, body, created_at FROM scripts WHERE id = $1 ORDER BY version DESC LIMIT 1 FOR UPDATE
