-- Writes the current secret of an endpoint.
INSERT INTO endpoint_secrets (id, endpoint_id, scheme, sealed, created_at) VALUES ($1, $2, $3, $4, $5)
