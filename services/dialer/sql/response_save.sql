-- Nothing; each call's response is inserted, or replaced by the given one.
INSERT INTO responses (
    attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, answers,
    disposition, note, at
)
SELECT n.attempt_id, n.revision, n.campaign_id, n.contact_id, n.operator_id, n.script_id, n.script_version, n.language,
    n.answers::jsonb, n.disposition, n.note, n.at
FROM unnest(
    $1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::timestamptz[]
) AS n (attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, answers,
        disposition, note, at)
ON CONFLICT (attempt_id) DO UPDATE
SET revision = excluded.revision, answers = excluded.answers, disposition = excluded.disposition,
    note = excluded.note, at = excluded.at, operator_id = excluded.operator_id
