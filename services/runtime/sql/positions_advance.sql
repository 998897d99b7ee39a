-- Returns one row per partition that stood where we believed it to stand and has moved on.
UPDATE positions AS p
SET next_offset = moved.next_offset, marked = moved.marked
FROM unnest($1::text[], $2::smallint[], $3::integer[], $4::bigint[], $5::bigint[], $6::boolean[])
    AS moved (topic, partition, epoch, old_offset, next_offset, marked)
WHERE p.topic = moved.topic AND p.partition = moved.partition
    AND p.epoch = moved.epoch AND p.next_offset = moved.old_offset
RETURNING p.topic
