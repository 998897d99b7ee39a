-- Returns which of the given keys have parked records.
SELECT DISTINCT p.topic, p.key
FROM parked AS p
JOIN unnest($1::text[], $2::bytea[]) AS wanted (topic, key) USING (topic, key)
