-- Returns audiences after an id, in the order of their making.
SELECT id, name, filter, version, created_at, changed_at, changed_by
FROM audiences
WHERE $1::uuid IS NULL OR id > $1
ORDER BY id
LIMIT $2
