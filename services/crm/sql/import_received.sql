-- Returns nothing; lets an import wait for a worker.
UPDATE imports SET state = 'waiting', size_bytes = $2 WHERE id = $1 AND state = 'receiving'
