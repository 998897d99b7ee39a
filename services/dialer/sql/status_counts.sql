-- The dialer in figures: calls now and in the last five minutes, operators by state.
SELECT
    (SELECT count(*) FROM attempts WHERE state IN ('dialing', 'ringing')) AS ringing,
    (SELECT count(*) FROM attempts WHERE state = 'answered') AS waiting,
    (SELECT count(*) FROM attempts WHERE state = 'connected') AS talking,
    (SELECT count(*) FROM campaigns WHERE state = 'running') AS campaigns_running,
    (SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM (SELECT state, count(*) AS n FROM operators GROUP BY state) AS o) AS operators,
    (SELECT coalesce(jsonb_object_agg(outcome, n), '{}') FROM (
        SELECT outcome, count(*) AS n FROM attempts
        WHERE ended_at > now() - interval '5 minutes' AND outcome IS NOT NULL GROUP BY outcome
    ) AS e) AS outcomes
