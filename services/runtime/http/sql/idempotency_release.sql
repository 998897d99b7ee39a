-- Returns nothing; gives the key back after a request that did nothing.
DELETE FROM idempotency
WHERE principal = $1 AND route = $2 AND key = $3 AND status IS NULL
