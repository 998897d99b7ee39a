-- Returns how many facts wait to be sent, how old the oldest is in seconds, and what could not be applied.
SELECT
    (SELECT count(*) FROM outbox WHERE epoch IS NULL) AS outbox_waiting,
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(time)), 0)::float8 FROM outbox WHERE epoch IS NULL)
    AS outbox_oldest_s,
    (SELECT count(*) FROM dead_letters) AS dead_letters,
    (SELECT count(*) FROM (SELECT DISTINCT topic, key FROM parked) AS keys) AS parked_keys
