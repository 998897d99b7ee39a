-- Nothing; who stopped or lifted what is noted.
INSERT INTO stop_changes (scope, target, change, at, by, reason) VALUES ($1, $2, $3, $4, $5, $6)
