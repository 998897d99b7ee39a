-- The ids of the leads (of $1, or all) that are held back now: their numbers have unknown rings nobody has decided about.
UPDATE leads AS l
SET state = 'waiting', next_at = clock_timestamp() + interval '100 years', held_by = 'restored', version = l.version + 1
WHERE EXISTS (SELECT FROM unknown_rings WHERE released_at IS NULL)
    AND ($1::uuid[] IS NULL OR l.id = ANY($1))
    AND l.state <> 'finished'
    AND l.held_by IS DISTINCT FROM 'restored'
    AND EXISTS (
        SELECT FROM jsonb_array_elements(l.phones) AS phone
        JOIN unknown_rings AS ring ON ring.number_digest = phone ->> 'digest' AND ring.released_at IS NULL
    )
RETURNING l.id
