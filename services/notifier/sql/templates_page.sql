-- Returns the latest versions in the order of their names.
SELECT DISTINCT ON (name) name, version, channel, default_language, texts, created_at, created_by
FROM templates
WHERE $1::text IS NULL OR name > $1
ORDER BY name, version DESC
LIMIT $2
