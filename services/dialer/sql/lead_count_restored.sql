-- How many leads are held back after a restore, by campaign.
SELECT c.id AS campaign_id, c.name, count(*) AS leads
FROM leads AS l
JOIN campaigns AS c ON c.id = l.campaign_id
WHERE l.held_by = 'restored' AND l.state <> 'finished'
GROUP BY c.id, c.name
ORDER BY c.name, c.id
