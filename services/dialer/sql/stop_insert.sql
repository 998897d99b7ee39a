-- Nothing; the stop is in force.
INSERT INTO stops (scope, target, at, by, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, target) DO NOTHING
