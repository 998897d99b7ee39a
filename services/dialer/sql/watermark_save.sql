-- Nothing; the shard's view of consents is complete up to an instant, never one that has not come here yet.
INSERT INTO consent_watermarks (shard, at) VALUES ($1, least($2, clock_timestamp()))
ON CONFLICT (shard) DO UPDATE SET at = greatest(consent_watermarks.at, excluded.at)
