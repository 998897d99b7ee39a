-- Returns how many facts wait to be sent and how old the oldest is, in seconds.
SELECT count(*) AS waiting, coalesce(extract(epoch FROM clock_timestamp() - min(time)), 0)::float8 AS oldest_s
FROM outbox
WHERE epoch IS NULL
