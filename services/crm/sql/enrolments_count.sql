-- Returns how many are in the campaign.
SELECT count(*) FROM enrolments WHERE campaign_id = $1 AND withdrawn_at IS NULL
