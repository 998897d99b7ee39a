-- Nothing; the person is forgotten, the refusal stays.
UPDATE people SET erased_at = $2, suppressed_at = coalesce(suppressed_at, $2) WHERE contact_id = ANY($1::uuid[])
