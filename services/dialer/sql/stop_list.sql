-- The emergency stops in force.
SELECT scope, target FROM stops
