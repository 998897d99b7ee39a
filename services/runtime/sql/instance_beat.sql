-- Returns how many instances are alive and our rank among them, counted from zero, after noting that we are.
WITH beat AS (
    INSERT INTO instances (id, seen_at) VALUES ($1, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
    RETURNING id
), alive AS (
    SELECT id FROM instances WHERE seen_at > clock_timestamp() - interval '4 seconds'
    UNION
    SELECT id FROM beat
)
SELECT count(*) AS alive, count(*) FILTER (WHERE id < $1) AS rank FROM alive
