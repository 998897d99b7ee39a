-- Nothing; the people's leads of these campaigns are finished; one that is being called is marked and ends with its call.
UPDATE leads AS l
SET state = CASE WHEN l.state = 'waiting' THEN 'finished' ELSE l.state END, result = 'withdrawn', version = version + 1
FROM unnest($1::uuid[], $2::uuid[]) AS w (campaign_id, contact_id)
WHERE l.campaign_id = w.campaign_id AND l.contact_id = w.contact_id AND l.state <> 'finished'
