-- Nothing; a batch's attempts, operators, leads and responses, given as JSON, replace what may change of those stored.
-- Calls that end are counted for the gate: who answered, and who of them met nobody.
WITH answered AS (
    INSERT INTO answered_hours AS h (campaign_id, hour, answered, abandoned)
    SELECT a.campaign_id, date_trunc('hour', n.answered_at, 'UTC'), count(*),
        count(*) FILTER (WHERE n.outcome = 'abandoned')
    FROM json_to_recordset($1::json) AS n (id uuid, outcome text, answered_at timestamptz)
    JOIN attempts AS a ON a.id = n.id
    WHERE n.outcome IN ('answered', 'abandoned') AND n.answered_at IS NOT NULL AND a.ended_at IS NULL
    GROUP BY 1, 2
    ORDER BY 1, 2
    ON CONFLICT (campaign_id, hour) DO UPDATE
    SET answered = h.answered + excluded.answered, abandoned = h.abandoned + excluded.abandoned
), attempt AS (
    UPDATE attempts AS a
    SET state = n.state, version = n.version, operator_id = n.operator_id, outcome = n.outcome, cause = n.cause,
        machine = n.machine, abandoned = n.abandoned, held = n.held, hangup_requested = n.hangup_requested,
        dialed_at = n.dialed_at, ringing_at = n.ringing_at, answered_at = n.answered_at,
        connected_at = n.connected_at, ended_at = n.ended_at
    FROM json_to_recordset($1::json) AS n (
        id uuid, state text, version int, operator_id uuid, outcome text, cause int, machine bool, abandoned bool,
        held bool, hangup_requested bool, dialed_at timestamptz, ringing_at timestamptz, answered_at timestamptz,
        connected_at timestamptz, ended_at timestamptz
    )
    WHERE a.id = n.id
), operator AS (
    UPDATE operators AS o
    SET state = n.state, reason = n.reason, since = n.since, version = n.version, attempt_id = n.attempt_id,
        offer_lead_id = n.offer_lead_id, next_state = n.next_state, next_reason = n.next_reason,
        ready_in_at = n.ready_in_at, instance_id = n.instance_id, disconnected_at = n.disconnected_at
    FROM json_to_recordset($2::json) AS n (
        id uuid, state text, reason text, since timestamptz, version int, attempt_id uuid, offer_lead_id uuid,
        next_state text, next_reason text, ready_in_at timestamptz, instance_id uuid, disconnected_at timestamptz
    )
    WHERE o.id = n.id
), lead AS (
    UPDATE leads AS l
    SET state = n.state, result = n.result, stream = n.stream, next_at = n.next_at, held_by = n.held_by,
        step = n.step, phone_index = n.phone_index, attempts = n.attempts, tries = n.tries,
        callback_operator = n.callback_operator, version = n.version
    FROM json_to_recordset($3::json) AS n (
        id uuid, state text, result text, stream int, next_at timestamptz, held_by text, step int, phone_index int,
        attempts int, tries jsonb, callback_operator uuid, version int
    )
    WHERE l.id = n.id
)
INSERT INTO responses (
    attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, answers,
    disposition, note, at
)
SELECT * FROM json_to_recordset($4::json) AS n (
    attempt_id uuid, revision int, campaign_id uuid, contact_id uuid, operator_id uuid, script_id uuid,
    script_version int, language text, answers jsonb, disposition text, note text, at timestamptz
)
ON CONFLICT (attempt_id) DO UPDATE
SET revision = excluded.revision, answers = excluded.answers, disposition = excluded.disposition,
    note = excluded.note, at = excluded.at, operator_id = excluded.operator_id
