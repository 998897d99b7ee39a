-- Writing facts, in one place: for statements of their own, and for functions that change rows and announce it at once.

CREATE FUNCTION outbox_append(
    source text, at timestamptz, traceparent text,
    shards smallint[], topics text[], keys uuid[], ids uuid[], types text[], payloads bytea[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (shard, topic, key, id, type, source, time, payload, traceparent)
    SELECT fact.shard, fact.topic, fact.key, fact.id, fact.type, outbox_append.source, outbox_append.at, fact.payload,
        outbox_append.traceparent
    FROM unnest(shards, topics, keys, ids, types, payloads)
        WITH ORDINALITY AS fact (shard, topic, key, id, type, payload, position)
    ORDER BY fact.position;
END $$;
COMMENT ON FUNCTION outbox_append IS 'The given facts are announced, in the given order, when the transaction commits';
