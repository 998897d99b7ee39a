-- What the gate must know of each of these people: refusal, which numbers are suppressed, consents and attempts as rows.
-- Consents come oldest first, each with the first withdrawal after it that covers it; attempts since $2, oldest first.
SELECT asked.contact_id, p.suppressed_at,
    ARRAY(SELECT digest FROM suppressed_numbers WHERE digest = ANY($3::text[])) AS numbers,
    ARRAY(
        SELECT ROW(
            c.kind, c.purpose, c.channel, c.given_at, c.outside_hours,
            (
                SELECT min(w.at) FROM withdrawals AS w
                WHERE w.contact_id = c.contact_id AND w.at >= c.given_at
                    AND (w.channel = 'all' OR w.channel = c.channel)
                    AND (w.purpose IS NULL OR w.purpose = c.purpose)
            )
        )
        FROM consents AS c WHERE c.contact_id = asked.contact_id ORDER BY c.given_at
    ) AS consents,
    ARRAY(
        SELECT ROW(
            a.phone, a.campaign_id, a.mode, a.outcome, a.connected_at, coalesce(a.dialed_at, a.reserved_at),
            c.plan ->> 'subject'
        )
        FROM attempts AS a
        JOIN campaigns AS c ON c.id = a.campaign_id
        WHERE a.contact_id = asked.contact_id AND a.reserved_at > $2 AND a.outcome IS DISTINCT FROM 'cancelled'
        ORDER BY a.reserved_at
    ) AS attempts
FROM unnest($1::uuid[]) AS asked (contact_id)
LEFT JOIN people AS p ON p.contact_id = asked.contact_id
