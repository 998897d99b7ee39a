-- Returns nothing; forbids channels of a person and of the numbers with the digests.
INSERT INTO suppressions (person_id, number_digest, channel, purpose, source, at, expires_at)
SELECT $1, digest, channel, purpose, source, at, expires_at
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
        AS forbidden (channel, purpose, source, at, expires_at),
    unnest(array_append($7::text[], NULL)) AS digest
