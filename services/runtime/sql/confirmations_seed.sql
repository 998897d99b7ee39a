-- Returns nothing; gives every consumer of every lane its row.
INSERT INTO confirmations (topic, shard, consumer)
SELECT pair.topic, shard, pair.consumer
FROM unnest($1::text[], $2::text[]) AS pair (topic, consumer)
CROSS JOIN generate_series(0, 7) AS shard
ON CONFLICT DO NOTHING
