-- Nothing; a withdrawal is kept, each once.
INSERT INTO withdrawals (contact_id, channel, purpose, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
