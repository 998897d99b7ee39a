-- One version of a script, or the newest one without a version.
SELECT id, version, name, body, created_at FROM scripts
WHERE id = $1 AND ($2::int IS NULL OR version = $2)
ORDER BY version DESC LIMIT 1
