-- Returns messages, the newest first.
SELECT *
FROM messages
WHERE ($1::uuid IS NULL OR contact_id = $1) AND ($2::uuid IS NULL OR campaign_id = $2)
    AND ($3::text IS NULL OR state = $3) AND ($4::uuid IS NULL OR id < $4)
ORDER BY id DESC
LIMIT $5
