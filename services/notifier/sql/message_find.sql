-- Returns one message.
SELECT * FROM messages WHERE id = $1
