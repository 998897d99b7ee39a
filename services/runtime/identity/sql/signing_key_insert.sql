-- Returns nothing; publishes a key.
INSERT INTO signing_keys (kid, public, sealed, created_at) VALUES ($1, $2, $3, $4)
