-- How many results were kept; one of an older version of the list than the one known is not.
WITH kept AS (
    INSERT INTO scrubs AS s (digest, list, version_on, listed)
    SELECT n.digest, $1, $2, n.listed FROM unnest($3::text[], $4::boolean[]) AS n (digest, listed)
    ON CONFLICT (digest, list) DO UPDATE SET version_on = excluded.version_on, listed = excluded.listed
    WHERE s.version_on <= excluded.version_on
    RETURNING 1
)
SELECT count(*) FROM kept
