-- These trunks with their live channels, locked until the end of the transaction.
SELECT t.*, current_date AS today,
    (SELECT count(*) FROM attempts AS a WHERE a.trunk = t.id AND a.state <> 'ended') AS live
FROM trunks AS t WHERE t.id = ANY($1::text[]) ORDER BY t.id FOR UPDATE
