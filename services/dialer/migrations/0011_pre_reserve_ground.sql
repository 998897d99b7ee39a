-- What reservations are judged on, locked and read in one round trip; the store judges it in Python and writes once.

-- Locks are taken in the order of all batches: people, leads, the pools' leases, each by id; trunks come last, because
-- all pools share them. What is read after a lock is read by a statement of its own, which sees what the last holder
-- stored. *caps* are those to count: ordinal, contact_id, maximum, since, and which attempts do not count.
CREATE FUNCTION reserve_ground(
    contacts uuid [], lead_ids uuid [], pools uuid [], digests text [], campaign_ids uuid [], caps json,
    trunk_ids text [],
    OUT suppressed uuid [], OUT versions json, OUT epochs json, OUT numbers text [], OUT stops json,
    OUT states json, OUT capped json, OUT lines json
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT array_agg(p.contact_id) FILTER (WHERE p.gone) INTO suppressed FROM (
        SELECT contact_id, suppressed_at IS NOT NULL OR erased_at IS NOT NULL AS gone
        FROM people WHERE contact_id = ANY(contacts) ORDER BY contact_id FOR NO KEY UPDATE
    ) AS p;

    SELECT json_object_agg(l.id, l.version) INTO versions FROM (
        SELECT id, version FROM leads WHERE id = ANY(lead_ids) ORDER BY id FOR UPDATE
    ) AS l;

    SELECT json_object_agg(s.pool_id, s.epoch) INTO epochs FROM (
        SELECT pool_id, epoch FROM leases WHERE pool_id = ANY(pools) ORDER BY pool_id FOR SHARE
    ) AS s;

    SELECT array_agg(digest) INTO numbers FROM suppressed_numbers WHERE digest = ANY(digests);
    SELECT json_agg(json_build_array(s.scope, s.target)) INTO stops FROM stops AS s;
    SELECT json_object_agg(id, state) INTO states FROM campaigns WHERE id = ANY(campaign_ids);

    -- The caps that are used up, and when the attempt was reserved that has to leave each span first.
    IF json_array_length(caps) > 0 THEN
        SELECT json_agg(json_build_array(f.ordinal, f.leaves)) INTO capped FROM (
            SELECT w.ordinal, (array_agg(a.reserved_at ORDER BY a.reserved_at DESC))[w.maximum] AS leaves
            FROM json_to_recordset(caps) AS w (
                ordinal int, contact_id uuid, maximum int, since timestamptz, number text, subject text,
                campaign_id uuid, but_not text
            )
            JOIN attempts AS a ON a.contact_id = w.contact_id AND a.reserved_at > w.since
            JOIN campaigns AS c ON c.id = a.campaign_id
            WHERE a.outcome IS DISTINCT FROM 'cancelled'
                AND coalesce(a.outcome, '') <> ALL (string_to_array(w.but_not, ' '))
                AND (w.number IS NULL OR a.phone = w.number)
                AND (w.subject IS NULL OR coalesce(c.plan ->> 'subject', '') IN ('', w.subject))
                AND (w.campaign_id IS NULL OR a.campaign_id = w.campaign_id)
            GROUP BY w.ordinal, w.maximum
            HAVING count(*) >= w.maximum
        ) AS f;
    END IF;

    PERFORM FROM trunks WHERE id = ANY(trunk_ids) ORDER BY id FOR UPDATE;
    SELECT json_agg(json_build_object(
        'id', t.id, 'interval_s', 1 / t.calls_per_second, 'channels', t.channels, 'countries', t.countries,
        'cost', t.cost_per_attempt_micros, 'cap', t.spend_cap_micros, 'next_slot_at', t.next_slot_at,
        'spent', CASE WHEN t.spend_on = current_date THEN t.spent_micros ELSE 0 END, 'today', current_date,
        'live', (SELECT count(*) FROM attempts AS a WHERE a.trunk = t.id AND a.ended_at IS NULL)
    )) INTO lines
    FROM trunks AS t WHERE t.id = ANY(trunk_ids);
END $$;
COMMENT ON FUNCTION reserve_ground IS 'Who may not be called, versions, states, caps used up, trunks; locked until the end';
