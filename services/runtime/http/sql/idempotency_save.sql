-- Returns nothing; keeps the answer to the request that holds the key.
UPDATE idempotency SET status = $4, headers = $5, body = $6
WHERE principal = $1 AND route = $2 AND key = $3
