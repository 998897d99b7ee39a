-- Returns one row per fact of a lane that was sent under an older epoch, is not confirmed and must be sent again.
UPDATE outbox
SET epoch = NULL, publication = NULL
WHERE seq IN (
    SELECT seq
    FROM outbox
    WHERE topic = $1 AND shard = $2 AND epoch < $3 AND payload <> ''::bytea
        AND publication > (SELECT coalesce(min(publication), 0) FROM confirmations WHERE topic = $1 AND shard = $2)
    ORDER BY publication
    LIMIT $4
)
RETURNING seq
