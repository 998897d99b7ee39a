-- Gives the current secret of an endpoint its end.
UPDATE endpoint_secrets SET expires_at = $2 WHERE endpoint_id = $1 AND expires_at IS NULL
