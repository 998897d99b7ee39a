-- The caps that are used up: for each the ordinal, and when the attempt was reserved that has to leave its span first.
SELECT w.ordinal, (array_agg(a.reserved_at ORDER BY a.reserved_at DESC))[w.maximum] AS leaves
FROM unnest($1::int[], $2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::text[], $7::uuid[], $8::text[])
    AS w (ordinal, contact_id, maximum, since, number, subject, campaign_id, but_not)
JOIN attempts AS a ON a.contact_id = w.contact_id AND a.reserved_at > w.since
JOIN campaigns AS c ON c.id = a.campaign_id
WHERE a.outcome IS DISTINCT FROM 'cancelled' AND coalesce(a.outcome, '') <> ALL (string_to_array(w.but_not, ' '))
    AND (w.number IS NULL OR a.phone = w.number)
    AND (w.subject IS NULL OR coalesce(c.plan ->> 'subject', '') IN ('', w.subject))
    AND (w.campaign_id IS NULL OR a.campaign_id = w.campaign_id)
GROUP BY w.ordinal, w.maximum
HAVING count(*) >= w.maximum
