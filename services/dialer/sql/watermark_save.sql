-- Nothing; each shard's view of consents is complete up to an instant, never one that has not come here yet.
INSERT INTO consent_watermarks (shard, at)
SELECT w.shard, least(max(w.at), clock_timestamp()) FROM unnest($1::smallint[], $2::timestamptz[]) AS w (shard, at)
GROUP BY w.shard ORDER BY w.shard
ON CONFLICT (shard) DO UPDATE SET at = greatest(consent_watermarks.at, excluded.at)
