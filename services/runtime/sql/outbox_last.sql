-- Returns the last publication of a lane under the given epoch, zero if there is none.
SELECT coalesce(
    (
        SELECT publication FROM outbox
        WHERE topic = $1 AND shard = $2 AND epoch = $3
        ORDER BY publication DESC
        LIMIT 1
    ),
    0
)
