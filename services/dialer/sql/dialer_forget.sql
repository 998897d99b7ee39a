-- Nothing; instances silent for a day are dropped.
DELETE FROM dialers WHERE seen_at < clock_timestamp() - interval '1 day'
