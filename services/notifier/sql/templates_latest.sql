-- Returns the latest version of each of the named templates that exists.
SELECT DISTINCT ON (name) name, version, channel, default_language, texts, created_at, created_by
FROM templates
WHERE name = ANY($1::text[])
ORDER BY name, version DESC
