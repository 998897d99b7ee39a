-- Imports of results, the newest first, before one of them.
SELECT seq AS number, list, version_on, numbers, listed, older, at, by
FROM scrub_imports WHERE seq < $1
ORDER BY seq DESC
LIMIT $2
