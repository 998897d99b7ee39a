-- Returns the message that a request led to.
SELECT * FROM messages WHERE request_id = $1
