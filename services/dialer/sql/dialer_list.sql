-- The instances seen within five seconds.
SELECT id, address FROM dialers WHERE seen_at > clock_timestamp() - interval '5 seconds' ORDER BY id
