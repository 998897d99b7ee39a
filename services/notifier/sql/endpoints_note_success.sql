-- Clears the failures of endpoints that took a delivery.
UPDATE endpoints SET failing_since = NULL, failures = 0 WHERE id = ANY($1::uuid[]) AND failing_since IS NOT NULL
