-- A call: its attempt, lead, campaign and response, each as a row; the response may be null.
SELECT a AS attempt, l AS lead, c AS campaign, r AS response
FROM attempts AS a
JOIN leads AS l ON l.id = a.lead_id
JOIN campaigns AS c ON c.id = a.campaign_id
LEFT JOIN responses AS r ON r.attempt_id = a.id
WHERE a.id = $1
