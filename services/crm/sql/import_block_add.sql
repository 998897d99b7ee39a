-- Returns nothing; appends a block of a file.
INSERT INTO import_blocks (import_id, begin_bytes, body) VALUES ($1, $2, $3)
