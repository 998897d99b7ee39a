-- What is known of numbers on do-not-call lists, and the record of campaigns at $3, as rows.
-- A record says how many people answered and how many of them met nobody, in each of the windows of a cap.
SELECT
    ARRAY(
        SELECT ROW(digest, list, version_on, listed) FROM scrubs WHERE digest = ANY($1::text[])
    ) AS scrubs,
    ARRAY(
        SELECT ROW(
            c.id, c.launched_at,
            coalesce(sum(h.answered) FILTER (WHERE h.hour >= w.day), 0)::bigint,
            coalesce(sum(h.abandoned) FILTER (WHERE h.hour >= w.day), 0)::bigint,
            coalesce(sum(h.answered) FILTER (WHERE h.hour >= w.month), 0)::bigint,
            coalesce(sum(h.abandoned) FILTER (WHERE h.hour >= w.month), 0)::bigint,
            coalesce(sum(h.answered) FILTER (WHERE h.hour >= w.block), 0)::bigint,
            coalesce(sum(h.abandoned) FILTER (WHERE h.hour >= w.block), 0)::bigint
        )
        FROM campaigns AS c
        CROSS JOIN LATERAL (
            -- The day is the British regulator's and the month the Canadian one's: theirs are the caps by day and month.
            SELECT date_trunc('day', $3::timestamptz, 'Europe/London') AS day,
                date_trunc('month', $3::timestamptz, 'America/Toronto') AS month,
                date_trunc('hour', c.launched_at, 'UTC') + make_interval(
                    secs => 2592000 * floor(date_part('epoch', $3::timestamptz - c.launched_at) / 2592000)
                ) AS block
        ) AS w
        LEFT JOIN answered_hours AS h ON h.campaign_id = c.id AND h.hour >= least(w.day, w.month, w.block)
        WHERE c.id = ANY($2::uuid[])
        GROUP BY c.id
    ) AS records
