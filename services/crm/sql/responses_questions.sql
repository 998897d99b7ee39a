-- Returns the questions that responses of a search answer, in the order of their ids.
SELECT DISTINCT answer ->> 'question_id' AS question_id
FROM responses r, jsonb_array_elements(r.answers) AS answer
WHERE ($1::uuid IS NULL OR campaign_id = $1)
    AND ($2::uuid IS NULL OR contact_id = $2)
    AND ($3::timestamptz IS NULL OR at >= $3)
    AND ($4::timestamptz IS NULL OR at < $4)
ORDER BY 1
