-- Returns the last message to a person on a channel.
SELECT * FROM messages WHERE contact_id = $1 AND channel = $2 AND address <> '' ORDER BY id DESC LIMIT 1
