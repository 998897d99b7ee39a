-- The ids of the attempts that were inserted; a live one to the same number or person keeps the new one out.
INSERT INTO attempts (
    id, lead_id, campaign_id, pool_id, contact_id, phone, number_digest, n, mode, trunk, caller_id, state, version,
    epoch, decision, ring_timeout_s, reserved_at, dial_slot_at, wanted_operator, script_id,
    script_version
)
SELECT n.id, n.lead_id, n.campaign_id, n.pool_id, n.contact_id, n.phone, n.number_digest, n.n, n.mode, n.trunk,
    n.caller_id, 'reserved', 1, n.epoch, n.decision::jsonb, n.ring_timeout_s, n.reserved_at, n.dial_slot_at,
    n.wanted_operator, n.script_id, n.script_version
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::int[], $9::text[],
    $10::text[], $11::text[], $12::bigint[], $13::text[], $14::int[], $15::timestamptz[], $16::timestamptz[],
    $17::uuid[], $18::uuid[], $19::int[]
) AS n (id, lead_id, campaign_id, pool_id, contact_id, phone, number_digest, n, mode, trunk, caller_id, epoch,
        decision, ring_timeout_s, reserved_at, dial_slot_at, wanted_operator, script_id, script_version)
ON CONFLICT DO NOTHING
RETURNING id
