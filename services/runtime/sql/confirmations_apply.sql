-- Returns nothing; moves confirmations forward, never back.
UPDATE confirmations AS c
SET publication = heard.publication
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[]) AS heard (topic, shard, consumer, publication)
WHERE c.topic = heard.topic AND c.shard = heard.shard AND c.consumer = heard.consumer
    AND c.publication < heard.publication
