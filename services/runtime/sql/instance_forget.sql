-- Returns nothing; takes out an instance that stops and those that are long gone.
DELETE FROM instances WHERE id = $1 OR seen_at < clock_timestamp() - interval '1 minute'
