-- Empties what people wrote long ago.
UPDATE inbound_messages SET text = '' WHERE received_at < $1 AND text <> ''
