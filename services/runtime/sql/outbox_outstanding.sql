-- Returns how many lanes have facts that were sent and are not yet confirmed by every consumer.
SELECT count(*)
FROM (SELECT topic, shard, min(publication) AS confirmed FROM confirmations GROUP BY topic, shard) AS lane
CROSS JOIN LATERAL (
    SELECT 1
    FROM outbox AS o
    WHERE o.topic = lane.topic AND o.shard = lane.shard AND o.epoch IS NOT NULL
        AND o.publication > lane.confirmed AND o.payload <> ''::bytea
    LIMIT 1
) AS waiting
