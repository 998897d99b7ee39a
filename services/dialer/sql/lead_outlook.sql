-- A campaign's waiting leads by what holds them and by the step at which their time comes: 0 now, $5 + 1 after the last.
SELECT stream = 3 AS message, held_by,
    CASE
        WHEN next_at <= $2 THEN 0
        ELSE least($5::int + 1, ceil(date_part('epoch', next_at - $3::timestamptz) / $4::int)::int)
    END AS step,
    count(*) AS leads, min(next_at) AS first_at
FROM leads
WHERE campaign_id = $1 AND state = 'waiting'
GROUP BY 1, 2, 3
