-- Nothing; somebody has decided about all rings found so far.
UPDATE unknown_rings SET released_at = clock_timestamp(), released_by = $1 WHERE released_at IS NULL
