-- Nothing; who changed what, when.
INSERT INTO campaign_changes (campaign_id, version, change, before, after, at, by)
VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6, $7)
