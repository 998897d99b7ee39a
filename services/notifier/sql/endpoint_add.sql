-- Writes a new endpoint.
INSERT INTO endpoints (id, partner_id, url, description, subscriptions, enabled, disabled_reason, disabled_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
