-- The states of these campaigns.
SELECT id, state FROM campaigns WHERE id = ANY($1::uuid[])
