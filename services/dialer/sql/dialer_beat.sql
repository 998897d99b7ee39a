-- Nothing; this instance is alive, and those silent for a day are dropped.
WITH gone AS (
    DELETE FROM dialers WHERE id <> $1 AND seen_at < clock_timestamp() - interval '1 day'
)
INSERT INTO dialers (id, address, seen_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET address = excluded.address, seen_at = excluded.seen_at
