-- The oldest of the consent stream's watermarks, null until every shard has one.
SELECT CASE WHEN count(*) = $1::int THEN min(at) END AS at FROM consent_watermarks
