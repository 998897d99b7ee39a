-- Returns what was made of a provider's message.
SELECT * FROM inbound_messages WHERE provider_id = $1
