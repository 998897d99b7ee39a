-- Every trunk with its live channels.
SELECT t.*, (SELECT count(*) FROM attempts AS a WHERE a.trunk = t.id AND a.ended_at IS NULL) AS live
FROM trunks AS t ORDER BY t.id
