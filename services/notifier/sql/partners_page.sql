-- Returns partners in the order of their ids, or only one of them.
SELECT id, name, campaign_ids, version, created_at
FROM partners
WHERE ($1::uuid IS NULL OR id = $1) AND ($2::uuid IS NULL OR id > $2)
ORDER BY id
LIMIT $3
