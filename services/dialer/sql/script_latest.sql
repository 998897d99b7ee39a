-- The newest version of a script, locked; two editors at once still make the same number, and one is refused.
SELECT id, version, name, body, created_at FROM scripts WHERE id = $1 ORDER BY version DESC LIMIT 1 FOR UPDATE
