-- The newest version of every script, by name, after a name and id.
SELECT id, version, name, created_at
FROM (SELECT DISTINCT ON (id) id, version, name, created_at FROM scripts ORDER BY id, version DESC) AS newest
WHERE (name, id) > ($1::text, $2::uuid)
ORDER BY name, id LIMIT $3
