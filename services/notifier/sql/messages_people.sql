-- Returns everybody who was ever sent a message to an address, the last first.
SELECT contact_id FROM messages WHERE address_digest = $1 GROUP BY contact_id ORDER BY max(requested_at) DESC LIMIT 20
