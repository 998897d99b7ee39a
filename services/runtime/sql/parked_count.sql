-- Returns how many keys are parked.
SELECT count(*) FROM (SELECT DISTINCT topic, key FROM parked) AS keys
