-- Nothing; the shard's view of consents is complete up to an instant.
INSERT INTO consent_watermarks (shard, at) VALUES ($1, $2)
ON CONFLICT (shard) DO UPDATE SET at = greatest(consent_watermarks.at, excluded.at)
