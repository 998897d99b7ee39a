-- Returns one partner.
SELECT id, name, campaign_ids, version, created_at FROM partners WHERE id = $1
