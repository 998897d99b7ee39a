-- Returns the audience, locked.
SELECT id, name, filter, version, created_at, changed_at, changed_by FROM audiences WHERE id = $1 FOR UPDATE
