-- The ids of the leads that are new; a person is in a campaign once.
INSERT INTO leads (
    id, campaign_id, contact_id, state, result, person, phones, priority, stream, next_at, enrolled_at, phone_index
)
SELECT n.id, n.campaign_id, n.contact_id, n.state, n.result, n.person::jsonb, n.phones::jsonb, n.priority, 1, n.at,
    n.at, n.phone_index
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::timestamptz[],
    $10::int[]
) AS n (id, campaign_id, contact_id, state, result, person, phones, priority, at, phone_index)
WHERE EXISTS (SELECT FROM campaigns AS c WHERE c.id = n.campaign_id)
ON CONFLICT (campaign_id, contact_id) DO NOTHING
RETURNING id
