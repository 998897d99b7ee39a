-- Returns what people wrote, the newest first.
SELECT * FROM inbound_messages WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2
