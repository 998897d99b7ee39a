-- Returns nothing; remembers what the broker has taken, and under which epoch.
UPDATE outbox AS o
SET epoch = sent.epoch,
    publication = sent.publication,
    payload = CASE WHEN o.forget THEN ''::bytea ELSE o.payload END
FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS sent (seq, publication, epoch)
WHERE o.seq = sent.seq AND o.epoch IS NULL
