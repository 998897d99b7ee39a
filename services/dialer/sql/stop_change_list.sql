-- Who stopped or lifted what, newest first, before a number.
SELECT seq, scope, target, change, at, by, reason FROM stop_changes WHERE seq < $1 ORDER BY seq DESC LIMIT $2
