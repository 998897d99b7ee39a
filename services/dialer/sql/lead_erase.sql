-- Nothing; what leads keep of the people is blanked and they are not called again.
UPDATE leads
SET person = '{}', phones = '[]', version = version + 1,
    state = CASE WHEN state = 'waiting' THEN 'finished' ELSE state END,
    result = CASE WHEN state = 'waiting' THEN 'withdrawn' ELSE result END
WHERE contact_id = ANY($1::uuid[])
