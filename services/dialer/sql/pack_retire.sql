-- The version that was in force; no row when none was.
DELETE FROM packs_in_force WHERE id = $1 RETURNING version
