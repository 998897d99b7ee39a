-- Writes a new partner.
INSERT INTO partners (id, name, campaign_ids, version, created_at) VALUES ($1, $2, $3, 1, $4)
