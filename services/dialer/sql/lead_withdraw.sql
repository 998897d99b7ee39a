-- Nothing; the people's waiting leads of these campaigns are finished. One that is being called ends with its call.
UPDATE leads AS l
SET state = 'finished', result = 'withdrawn', version = version + 1
FROM unnest($1::uuid[], $2::uuid[]) AS w (campaign_id, contact_id)
WHERE l.campaign_id = w.campaign_id AND l.contact_id = w.contact_id AND l.state = 'waiting'
