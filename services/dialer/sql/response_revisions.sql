-- The present revisions of these calls' responses, locked until the end of the transaction.
SELECT attempt_id, revision FROM responses WHERE attempt_id = ANY($1::uuid[]) ORDER BY attempt_id FOR UPDATE
