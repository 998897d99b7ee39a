-- Whether there is something of that scope and name to stop.
SELECT CASE $1::text
    WHEN 'campaign' THEN EXISTS (SELECT FROM campaigns WHERE id::text = $2)
    WHEN 'trunk' THEN EXISTS (SELECT FROM trunks WHERE id = $2)
    ELSE true
END
