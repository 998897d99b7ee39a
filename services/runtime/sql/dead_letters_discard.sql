-- Returns the id of the dead letter or parked record that was deleted.
WITH letter AS (
    DELETE FROM dead_letters WHERE id = $1 RETURNING id
), record AS (
    DELETE FROM parked WHERE id = $1 RETURNING id
)
SELECT id FROM letter UNION ALL SELECT id FROM record
