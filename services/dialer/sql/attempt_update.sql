-- Nothing; what may change of each attempt is replaced by the given row.
UPDATE attempts AS a
SET state = n.state, version = n.version, operator_id = n.operator_id, outcome = n.outcome, cause = n.cause,
    machine = n.machine, abandoned = n.abandoned, held = n.held, hangup_requested = n.hangup_requested,
    dialed_at = n.dialed_at, ringing_at = n.ringing_at, answered_at = n.answered_at, connected_at = n.connected_at,
    ended_at = n.ended_at
FROM unnest(
    $1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::text[], $6::int[], $7::bool[], $8::bool[], $9::bool[],
    $10::bool[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[]
) AS n (id, state, version, operator_id, outcome, cause, machine, abandoned, held, hangup_requested, dialed_at,
        ringing_at, answered_at, connected_at, ended_at)
WHERE a.id = n.id
