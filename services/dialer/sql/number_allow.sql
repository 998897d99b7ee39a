-- Nothing; a consent given after the refusal lifts it for the person's numbers.
DELETE FROM suppressed_numbers AS s
USING unnest($1::text[], $2::timestamptz[]) AS g (digest, at)
WHERE s.digest = g.digest AND s.suppressed_at < g.at
