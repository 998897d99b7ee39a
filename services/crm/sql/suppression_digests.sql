-- Returns the digests of a person's numbers, those of numbers once suppressed included.
SELECT digest FROM contact_numbers WHERE contact_id = $1
UNION
SELECT number_digest FROM suppressions WHERE person_id = $1 AND number_digest IS NOT NULL
ORDER BY 1
