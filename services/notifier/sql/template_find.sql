-- Returns a version of a template, by default the latest.
SELECT name, version, channel, default_language, texts, created_at, created_by
FROM templates
WHERE name = $1 AND ($2::integer IS NULL OR version = $2)
ORDER BY version DESC
LIMIT 1
