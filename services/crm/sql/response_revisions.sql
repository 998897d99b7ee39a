-- Returns every revision of a response, the first one first.
SELECT attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, disposition,
    answers, note, at
FROM responses
WHERE attempt_id = $1
ORDER BY revision
