-- Writes new messages and returns their ids; a request that is there already is left alone.
INSERT INTO messages (
    id, request_id, contact_id, campaign_id, channel, address, address_digest, template, wanted_language, variables,
    purpose, answers_opt_out, requested_at, expires_at, state, next_attempt_at
)
SELECT id, request_id, contact_id, campaign_id, channel, address, address_digest, template, wanted_language,
    variables::jsonb, purpose, answers_opt_out, requested_at, expires_at, 'pending', requested_at
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::boolean[], $13::timestamptz[], $14::timestamptz[]
) AS new (
    id, request_id, contact_id, campaign_id, channel, address, address_digest, template, wanted_language,
    variables, purpose, answers_opt_out, requested_at, expires_at
)
ON CONFLICT (request_id) DO NOTHING
RETURNING id
