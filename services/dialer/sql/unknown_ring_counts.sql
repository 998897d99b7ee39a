-- How many unknown rings nobody has decided about, and when the first and the last of them were.
SELECT count(*) AS calls, min(rang_at) AS first_at, max(rang_at) AS last_at FROM unknown_rings WHERE released_at IS NULL
