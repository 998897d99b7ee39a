-- Returns the oldest import that nobody works on, claimed.
UPDATE imports SET state = 'running', claim = $1, claimed_until = $3, claims = claims + 1
WHERE id = (
    SELECT id FROM imports
    WHERE state IN ('waiting', 'running') AND claimed_until <= $2
    ORDER BY id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, state, filename, encoding, delimiter, header, mapping, default_region, date_format, size_bytes, last_row,
    position_bytes, created, updated, unchanged, rejected, failure, started_by, created_at, finished_at, claims
