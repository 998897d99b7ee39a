-- Returns who is newly in the campaign.
INSERT INTO enrolments (campaign_id, contact_id, enrolled_at)
SELECT $1, unnest($2::uuid[]), $3
ON CONFLICT (campaign_id, contact_id) DO NOTHING
RETURNING contact_id
