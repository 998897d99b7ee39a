-- Returns nothing; remembers the highest publication of each producer.
INSERT INTO watermarks AS w (topic, partition, source, publication)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[])
ON CONFLICT (topic, partition, source) DO UPDATE SET publication = greatest(w.publication, excluded.publication)
