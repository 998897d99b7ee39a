-- Returns how many deliveries of recent events each endpoint has in each state.
SELECT d.endpoint_id, d.state, count(*) AS deliveries
FROM deliveries d JOIN webhook_events w ON w.id = d.event_id
WHERE d.endpoint_id = ANY($1::uuid[]) AND w.stored_at >= $2
GROUP BY d.endpoint_id, d.state
