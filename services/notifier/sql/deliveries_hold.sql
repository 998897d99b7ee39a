-- Holds what waits for an endpoint.
UPDATE deliveries SET state = 'held', claim = NULL WHERE endpoint_id = $1 AND state = 'pending'
