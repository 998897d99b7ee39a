-- Returns whether the operator had the person on the line.
SELECT EXISTS (SELECT FROM handlings WHERE contact_id = $1 AND operator_id = $2)
