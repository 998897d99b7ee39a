-- Returns nothing; removes the blocks that were read to their end.
DELETE FROM import_blocks WHERE import_id = $1 AND begin_bytes + length(body) <= $2
