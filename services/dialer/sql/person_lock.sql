-- Whether these people are suppressed; locked until the end of the transaction, so that a person's facts keep their order.
SELECT contact_id, suppressed_at IS NOT NULL OR erased_at IS NOT NULL AS suppressed
FROM people WHERE contact_id = ANY($1::uuid[]) ORDER BY contact_id FOR NO KEY UPDATE
