-- Returns the language that the last message to a person named; many requests name none.
SELECT wanted_language FROM messages WHERE contact_id = $1 AND wanted_language IS NOT NULL ORDER BY id DESC LIMIT 1
