-- Returns the bytes from an offset to the end of the block that holds it.
SELECT substring(body FROM ($2 - begin_bytes + 1)::integer)
FROM import_blocks
WHERE import_id = $1 AND begin_bytes <= $2 AND begin_bytes + length(body) > $2
ORDER BY begin_bytes DESC
LIMIT 1
