-- How many channels each of these trunks has in use.
SELECT trunk, count(*) AS live FROM attempts WHERE trunk = ANY($1::text[]) AND ended_at IS NULL GROUP BY trunk
