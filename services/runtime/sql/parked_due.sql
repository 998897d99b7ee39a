-- Returns keys whose first parked record is due, of the given topics and partitions.
SELECT head.topic, head.key
FROM (
    SELECT DISTINCT ON (topic, key) topic, key, partition, next_attempt_at
    FROM parked
    WHERE topic = ANY($1::text[])
    ORDER BY topic, key, seq
) AS head
WHERE head.next_attempt_at <= $3 AND head.partition = ANY($2::smallint[])
ORDER BY head.next_attempt_at
LIMIT $4
