-- Adds failures to endpoints and returns how each fares.
UPDATE endpoints e
SET failing_since = coalesce(e.failing_since, f.first_at), failures = e.failures + f.failures
FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS f (endpoint_id, failures, first_at)
WHERE e.id = f.endpoint_id AND e.removed_at IS NULL
RETURNING e.id, e.failing_since, e.failures
