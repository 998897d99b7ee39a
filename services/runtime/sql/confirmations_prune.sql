-- Returns nothing; forgets consumers that a topic no longer has, so that nobody waits for them.
DELETE FROM confirmations AS c
WHERE NOT EXISTS (
    SELECT FROM unnest($1::text[], $2::text[]) AS pair (topic, consumer)
    WHERE pair.topic = c.topic AND pair.consumer = c.consumer
)
