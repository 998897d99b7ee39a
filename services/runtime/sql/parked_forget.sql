-- Returns nothing; deletes the parked records that speak of a person.
DELETE FROM parked
WHERE position(convert_to($1::text, 'UTF8') IN key) > 0 OR position(convert_to($1::text, 'UTF8') IN value) > 0
