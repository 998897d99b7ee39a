-- Nothing; this instance is alive.
INSERT INTO dialers (id, address, seen_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET address = excluded.address, seen_at = excluded.seen_at
