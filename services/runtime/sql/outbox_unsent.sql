-- Returns the next facts of each lane (topic and shard) in order, each with the number of this attempt to send it.
SELECT nextval('publications') AS publication, batch.*
FROM (
    SELECT head.*
    FROM unnest($1::text[], $2::smallint[]) AS lane (topic, shard)
    CROSS JOIN LATERAL (
        SELECT o.*, sum(octet_length(o.payload)) OVER (ORDER BY o.seq) - octet_length(o.payload) AS bytes_before
        FROM (
            SELECT seq, topic, shard, key, id, type, source, time, payload, traceparent
            FROM outbox
            WHERE topic = lane.topic AND shard = lane.shard AND epoch IS NULL
            ORDER BY seq
            LIMIT $3
        ) AS o
    ) AS head
    WHERE head.bytes_before < $4
    ORDER BY head.topic, head.shard, head.seq
) AS batch
