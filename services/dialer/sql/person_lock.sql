-- Whether these people are suppressed or erased; locked until the end, so that a person's facts keep their order.
SELECT contact_id, suppressed_at IS NOT NULL OR erased_at IS NOT NULL AS suppressed, erased_at IS NOT NULL AS erased
FROM people WHERE contact_id = ANY($1::uuid[]) ORDER BY contact_id FOR NO KEY UPDATE
