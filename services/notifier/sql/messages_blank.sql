-- Empties what is personal in settled messages that are old; returns how many.
WITH old AS (
    SELECT id FROM messages
    WHERE requested_at < $1 AND state <> 'pending' AND (address <> '' OR body <> '')
    ORDER BY requested_at
    LIMIT $2
),
blanked AS (
    UPDATE messages m SET address = '', variables = '{}', subject = '', body = '' FROM old WHERE m.id = old.id RETURNING 1
)
SELECT count(*) FROM blanked
