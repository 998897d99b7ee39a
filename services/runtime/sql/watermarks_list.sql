-- Returns what we have seen of each producer, one row per topic and producer.
SELECT topic, source, array_agg(partition ORDER BY partition) AS partitions,
    array_agg(publication ORDER BY partition) AS publications
FROM watermarks
GROUP BY topic, source
