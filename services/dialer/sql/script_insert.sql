-- Nothing; one version of a script is kept for ever.
INSERT INTO scripts (id, version, name, body, created_at, created_by) VALUES ($1, $2, $3, $4::jsonb, $5, $6)
