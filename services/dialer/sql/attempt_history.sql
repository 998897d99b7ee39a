-- Each person's attempts since an instant, with their campaign's subject, oldest first.
SELECT a.contact_id, a.phone, a.campaign_id, a.mode, a.outcome, a.connected_at,
    coalesce(a.dialed_at, a.reserved_at) AS at, c.plan ->> 'subject' AS subject
FROM attempts AS a
JOIN campaigns AS c ON c.id = a.campaign_id
WHERE a.contact_id = ANY($1::uuid[]) AND a.reserved_at > $2 AND a.outcome IS DISTINCT FROM 'cancelled'
ORDER BY a.contact_id, a.reserved_at
