-- The same from $5 percent of the table's pages: for so many leads that drawing among all would take long.
SELECT * FROM leads TABLESAMPLE SYSTEM ($5::float8)
WHERE campaign_id = $1 AND state = 'waiting' AND stream <> 3 AND next_at > $2 AND next_at <= $3
ORDER BY random()
LIMIT $4
