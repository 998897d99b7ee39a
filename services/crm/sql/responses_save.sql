-- Returns nothing; writes revisions of responses.
INSERT INTO responses (
    attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, disposition,
    answers, note, at
)
SELECT
    attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, disposition,
    answers::jsonb, note, at
FROM unnest(
    $1::uuid[], $2::integer[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::integer[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::timestamptz[]
) AS said (
    attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, disposition,
    answers, note, at
)
ON CONFLICT (attempt_id, revision) DO NOTHING
