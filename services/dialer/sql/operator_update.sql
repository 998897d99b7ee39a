-- Nothing; each operator's row is replaced by the given one.
UPDATE operators AS o
SET state = n.state, reason = n.reason, since = n.since, version = n.version, attempt_id = n.attempt_id,
    offer_lead_id = n.offer_lead_id, next_state = n.next_state, next_reason = n.next_reason,
    ready_in_at = n.ready_in_at, instance_id = n.instance_id, disconnected_at = n.disconnected_at
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::int[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
    $10::timestamptz[], $11::uuid[], $12::timestamptz[]
) AS n (id, state, reason, since, version, attempt_id, offer_lead_id, next_state, next_reason, ready_in_at,
        instance_id, disconnected_at)
WHERE o.id = n.id
