-- Returns the sequence numbers of sent facts, after the given one, that will be sent again.
UPDATE outbox
SET epoch = NULL, publication = NULL
WHERE seq IN (
    SELECT seq
    FROM outbox
    WHERE seq > $3 AND topic = ANY($1::text[]) AND time >= $2 AND epoch IS NOT NULL AND payload <> ''::bytea
    ORDER BY seq
    LIMIT $4
)
RETURNING seq
