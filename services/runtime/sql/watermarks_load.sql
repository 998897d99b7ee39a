-- Returns the highest publication of each producer seen in the given partitions.
SELECT w.topic, w.partition, w.source, w.publication
FROM watermarks AS w
JOIN unnest($1::text[], $2::smallint[]) AS wanted (topic, partition) USING (topic, partition)
