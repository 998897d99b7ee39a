-- Returns persons (no digest) and numbers (digest) that may not be called for purpose $2 at $3.
SELECT s.person_id, NULL AS digest
FROM unnest($1::uuid[]) AS wanted (id)
JOIN suppressions s ON s.person_id = wanted.id AND s.number_digest IS NULL
WHERE s.channel IN ('voice', 'all') AND (s.purpose IS NULL OR s.purpose = $2)
    AND (s.expires_at IS NULL OR s.expires_at > $3)
UNION ALL
SELECT n.contact_id, n.digest
FROM unnest($1::uuid[]) AS wanted (id)
JOIN contact_numbers n ON n.contact_id = wanted.id
JOIN suppressions s ON s.number_digest = n.digest
WHERE s.channel IN ('voice', 'all') AND (s.purpose IS NULL OR s.purpose = $2)
    AND (s.expires_at IS NULL OR s.expires_at > $3)
