-- Nothing; what may change of each lead is replaced by the given row.
UPDATE leads AS l
SET state = n.state, result = n.result, stream = n.stream, next_at = n.next_at, held_by = n.held_by, step = n.step,
    phone_index = n.phone_index, attempts = n.attempts, tries = n.tries::jsonb,
    callback_operator = n.callback_operator, version = n.version
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::int[], $5::timestamptz[], $6::text[], $7::int[], $8::int[], $9::int[],
    $10::text[], $11::uuid[], $12::int[]
) AS n (id, state, result, stream, next_at, held_by, step, phone_index, attempts, tries, callback_operator, version)
WHERE l.id = n.id
