-- Keeps each line unless a later one about the same scope is there; of two at once, the no stays.
INSERT INTO consents (subject, channel, purpose, withdrawn, at)
SELECT DISTINCT ON (subject, channel, purpose) subject, channel, purpose, withdrawn, at
FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[])
    AS new (subject, channel, purpose, withdrawn, at)
ORDER BY subject, channel, purpose, at DESC, withdrawn DESC
ON CONFLICT (subject, channel, purpose) DO UPDATE SET withdrawn = excluded.withdrawn, at = excluded.at
WHERE (excluded.at, excluded.withdrawn) > (consents.at, consents.withdrawn)
