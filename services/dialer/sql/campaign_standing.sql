-- What a campaign's calls depend on besides its leads: live calls, the trunk's use, the pool's lease, the last decision.
SELECT
    (SELECT count(*) FROM attempts AS a WHERE a.pool_id = c.pool_id AND a.campaign_id = c.id AND a.ended_at IS NULL)
    AS lines,
    (SELECT count(*) FROM attempts AS a WHERE a.trunk = c.plan ->> 'trunk' AND a.ended_at IS NULL) AS channels_used,
    t.channels, t.spend_cap_micros, t.cost_per_attempt_micros,
    CASE WHEN t.spend_on = current_date THEN t.spent_micros ELSE 0 END AS spent_micros,
    l.expires_at > clock_timestamp() AS owned,
    (SELECT d.explain ->> c.id::text FROM pacing_diary AS d
        WHERE d.pool_id = c.pool_id AND d.at > clock_timestamp() - interval '30 seconds'
        ORDER BY d.at DESC LIMIT 1) AS pacing
FROM campaigns AS c
LEFT JOIN trunks AS t ON t.id = c.plan ->> 'trunk'
LEFT JOIN leases AS l ON l.pool_id = c.pool_id
WHERE c.id = $1
