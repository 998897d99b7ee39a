-- The operator's row after they moved; no row when they are not offline.
UPDATE operators SET pool_id = $2, skills = $3, version = version + 1
WHERE id = $1 AND (pool_id = $2 OR state = 'offline')
RETURNING *
