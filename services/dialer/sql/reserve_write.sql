-- The ids of the attempts that were inserted; a live one to the same number or person keeps the new one out.
-- With them, given as JSON, their leads become busy and the trunks' next slots and spending are kept.
WITH inserted AS (
    INSERT INTO attempts (
        id, lead_id, campaign_id, pool_id, contact_id, phone, number_digest, n, mode, trunk, caller_id, state, version,
        epoch, decision, ring_timeout_s, reserved_at, dial_slot_at, wanted_operator, script_id, script_version
    )
    SELECT n.id, n.lead_id, n.campaign_id, n.pool_id, n.contact_id, n.phone, n.number_digest, n.n, n.mode, n.trunk,
        n.caller_id, 'reserved', 1, n.epoch, n.decision, n.ring_timeout_s, n.reserved_at, n.dial_slot_at,
        n.wanted_operator, n.script_id, n.script_version
    FROM json_to_recordset($1::json) AS n (
        id uuid, lead_id uuid, campaign_id uuid, pool_id uuid, contact_id uuid, phone text, number_digest text, n int,
        mode text, trunk text, caller_id text, epoch bigint, decision jsonb, ring_timeout_s int,
        reserved_at timestamptz, dial_slot_at timestamptz, wanted_operator uuid, script_id uuid, script_version int
    )
    ON CONFLICT DO NOTHING
    RETURNING id, lead_id
), lead AS (
    UPDATE leads AS l
    SET state = n.state, held_by = NULL, attempts = n.attempts, version = n.version
    FROM json_to_recordset($2::json) AS n (id uuid, state text, attempts int, version int)
    WHERE l.id = n.id AND l.id IN (SELECT lead_id FROM inserted)
), trunk AS (
    UPDATE trunks AS t
    SET next_slot_at = n.next_slot_at, spent_micros = n.spent, spend_on = n.today
    FROM json_to_recordset($3::json) AS n (id text, next_slot_at timestamptz, spent bigint, today date)
    WHERE t.id = n.id
)
SELECT id FROM inserted
