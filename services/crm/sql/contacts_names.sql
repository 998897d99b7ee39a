-- Returns how contacts are called in other systems and by people; erased ones are not returned.
SELECT c.id, c.external_id, c.name
FROM (SELECT DISTINCT unnest($1::uuid[]) AS id) AS wanted
JOIN contacts c ON c.id = wanted.id
WHERE c.erased_at IS NULL
