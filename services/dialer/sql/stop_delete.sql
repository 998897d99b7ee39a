-- The stop that was lifted; no row when there was none.
DELETE FROM stops WHERE scope = $1 AND target = $2 RETURNING scope
