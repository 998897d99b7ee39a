-- Returns how many facts were deleted: told and past their retention, or personal and no longer needed.
-- A lane is looked at from its oldest publication; $3: confirmed ones older than this go, $4: all sent ones older.
WITH gone AS (
    DELETE FROM outbox
    WHERE seq IN (
        SELECT old.seq
        FROM unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::timestamptz[])
            AS lane (topic, shard, confirmed_before, sent_before)
        CROSS JOIN LATERAL (
            SELECT o.seq, o.time, o.publication
            FROM outbox AS o
            WHERE o.topic = lane.topic AND o.shard = lane.shard AND o.epoch IS NOT NULL
            ORDER BY o.publication
            LIMIT $5
        ) AS old
        WHERE old.time < lane.sent_before
            OR (
                old.time < lane.confirmed_before
                AND old.publication <= (
                    SELECT min(c.publication) FROM confirmations AS c
                    WHERE c.topic = lane.topic AND c.shard = lane.shard
                )
            )
    )
    RETURNING 1
)
SELECT count(*) FROM gone
