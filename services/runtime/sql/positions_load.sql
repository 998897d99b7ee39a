-- Returns where to go on reading each given partition, having begun anew those whose log did.
INSERT INTO positions AS p (topic, partition, epoch, next_offset)
SELECT topic, partition, epoch, 0
FROM unnest($1::text[], $2::smallint[], $3::integer[]) AS wanted (topic, partition, epoch)
ON CONFLICT (topic, partition) DO UPDATE
SET epoch = greatest(p.epoch, excluded.epoch),
    next_offset = CASE WHEN excluded.epoch > p.epoch THEN 0 ELSE p.next_offset END,
    marked = p.marked AND excluded.epoch <= p.epoch
RETURNING topic, partition, epoch, next_offset, marked
