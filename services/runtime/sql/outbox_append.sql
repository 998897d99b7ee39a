-- Returns nothing; inserts the given facts in the given order.
INSERT INTO outbox (shard, topic, key, id, type, source, time, payload, traceparent)
SELECT shard, topic, key, id, type, $1, $2, payload, $3
FROM unnest($4::smallint[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::bytea[])
    WITH ORDINALITY AS fact (shard, topic, key, id, type, payload, position)
ORDER BY position
