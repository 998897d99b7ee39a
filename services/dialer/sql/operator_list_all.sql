-- Operators by name, after a name and id.
SELECT * FROM operators WHERE (name, id) > ($1::text, $2::uuid) ORDER BY name, id LIMIT $3
