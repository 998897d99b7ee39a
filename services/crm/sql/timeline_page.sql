-- Returns what happened to a person, the newest first.
SELECT contact_id, at, id, kind, body
FROM timeline
WHERE contact_id = $1 AND ($2::timestamptz IS NULL OR (at, id) < ($2, $3::uuid))
ORDER BY at DESC, id DESC
LIMIT $4
