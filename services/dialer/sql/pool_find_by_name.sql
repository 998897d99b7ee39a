-- The pool of a name.
SELECT id FROM pools WHERE name = $1
