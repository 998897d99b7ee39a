-- Returns the last attempts of a delivery, the last first.
SELECT started_at, duration_ms, url, request_headers, status, failure, detail, response_headers, response_body
FROM delivery_attempts
WHERE event_id = $2 AND endpoint_id = $1
ORDER BY started_at DESC
LIMIT $3
