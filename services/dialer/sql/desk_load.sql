-- An operator with the call on their screen: its attempt, lead, campaign and response, each as a row or null.
SELECT o AS operator, a AS attempt, l AS lead, c AS campaign, r AS response
FROM operators AS o
LEFT JOIN attempts AS a ON a.id = o.attempt_id
LEFT JOIN leads AS l ON l.id = a.lead_id
LEFT JOIN campaigns AS c ON c.id = a.campaign_id
LEFT JOIN responses AS r ON r.attempt_id = a.id
WHERE o.id = $1
