-- A campaign's leads that are busy or finished, by result and by what ruled them out.
SELECT state, result, held_by, count(*) AS leads
FROM leads WHERE campaign_id = $1 AND state <> 'waiting'
GROUP BY state, result, held_by
