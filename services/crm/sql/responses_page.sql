-- Returns the latest revision of responses that fit all that is asked (null asks nothing), the oldest first.
SELECT attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, disposition,
    answers, note, at
FROM responses r
WHERE ($1::uuid IS NULL OR campaign_id = $1)
    AND ($2::uuid IS NULL OR contact_id = $2)
    AND ($3::timestamptz IS NULL OR at >= $3)
    AND ($4::timestamptz IS NULL OR at < $4)
    AND ($5::timestamptz IS NULL OR (at, attempt_id) > ($5, $6::uuid))
    AND NOT EXISTS (
        SELECT FROM responses later WHERE later.attempt_id = r.attempt_id AND later.revision > r.revision
    )
ORDER BY at, attempt_id
LIMIT $7
