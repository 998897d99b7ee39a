-- What else a batch is judged on: revisions of responses, suppressed numbers, stops, states of campaigns, the clock.
-- Read under the locks of `commit_lock`, by a statement of its own, so that it sees what the last holder stored.
SELECT 'response' AS kind, attempt_id::text AS key, revision::text AS value, NULL::timestamptz AS at
FROM responses WHERE attempt_id = ANY($1::uuid[])
UNION ALL SELECT 'number', digest, '', NULL FROM suppressed_numbers WHERE digest = ANY($2::text[])
UNION ALL SELECT 'stop', scope, target, NULL FROM stops
UNION ALL SELECT 'campaign', id::text, state, NULL FROM campaigns WHERE id = ANY($3::uuid[])
UNION ALL SELECT 'clock', '', '', clock_timestamp()
