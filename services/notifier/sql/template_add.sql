-- Writes a version of a template.
INSERT INTO templates (name, version, channel, default_language, texts, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
