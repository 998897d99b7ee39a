-- The priorities that waiting leads of a queue have, highest first, by hopping over the index.
WITH RECURSIVE hop AS (
    (
        SELECT priority FROM leads
        WHERE campaign_id = $1 AND stream = $2 AND state = 'waiting'
        ORDER BY priority DESC LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT l.priority FROM leads AS l
        WHERE l.campaign_id = $1 AND l.stream = $2 AND l.state = 'waiting' AND l.priority < hop.priority
        ORDER BY l.priority DESC LIMIT 1
    )
    FROM hop WHERE hop.priority IS NOT NULL
)
SELECT priority FROM hop WHERE priority IS NOT NULL
