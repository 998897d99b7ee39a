-- These people's consents, oldest first, each with the first withdrawal after it that covers it.
SELECT c.contact_id, c.kind, c.purpose, c.channel, c.given_at, c.outside_hours,
    (
        SELECT min(w.at) FROM withdrawals AS w
        WHERE w.contact_id = c.contact_id AND w.at >= c.given_at AND (w.channel = 'all' OR w.channel = c.channel)
            AND (w.purpose IS NULL OR w.purpose = c.purpose)
    ) AS withdrawn_at
FROM consents AS c WHERE c.contact_id = ANY($1::uuid[]) ORDER BY c.contact_id, c.given_at
