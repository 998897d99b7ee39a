-- Returns nothing; blanks what was written freely about a person, and keeps what was chosen.
UPDATE responses SET
    note = '',
    answers = (
        SELECT coalesce(jsonb_agg(
            CASE WHEN answer ->> 'kind' = 'text' THEN answer || '{"value": null}' ELSE answer END ORDER BY place
        ), '[]')
        FROM jsonb_array_elements(answers) WITH ORDINALITY AS one (answer, place)
    )
WHERE contact_id = $1
