-- The ids of the leads (of campaign $1, or all) that were held back and go on now.
UPDATE leads SET next_at = clock_timestamp(), held_by = NULL, version = version + 1
WHERE held_by = 'restored' AND state <> 'finished' AND ($1::uuid IS NULL OR campaign_id = $1)
RETURNING id
