-- Returns nothing; deletes the dead letters that speak of a person.
DELETE FROM dead_letters
WHERE position(convert_to($1::text, 'UTF8') IN coalesce(key, ''::bytea)) > 0
    OR position(convert_to($1::text, 'UTF8') IN coalesce(value, ''::bytea)) > 0
