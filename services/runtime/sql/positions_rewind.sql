-- Returns nothing; a partition is read again from the start of its log.
UPDATE positions SET next_offset = 0 WHERE topic = $1 AND partition = $2
