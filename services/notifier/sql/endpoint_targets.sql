-- Returns what planning must know about every endpoint.
SELECT e.id, e.subscriptions, e.enabled, p.campaign_ids
FROM endpoints e JOIN partners p ON p.id = e.partner_id
WHERE e.removed_at IS NULL AND e.subscriptions <> '{}'
