-- The stops in force, with who asked for them.
SELECT scope, target, at, by, reason FROM stops ORDER BY scope, target
