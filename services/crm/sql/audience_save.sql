-- Returns nothing; writes an audience.
INSERT INTO audiences (id, name, filter, version, created_at, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, filter = excluded.filter, version = excluded.version, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by
