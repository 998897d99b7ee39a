-- Returns how many dead letters and parked keys each given topic has.
SELECT topic, sum(failures)::bigint AS failures
FROM (
    SELECT topic, count(*) AS failures FROM dead_letters WHERE topic = ANY($1::text[]) GROUP BY topic
    UNION ALL
    SELECT topic, count(DISTINCT key) FROM parked WHERE topic = ANY($1::text[]) GROUP BY topic
) AS counted
GROUP BY topic
