-- Returns nothing; notes a contact and every holder of the numbers with the digests as due for enrolment.
INSERT INTO enrolment_due (contact_id)
SELECT id FROM contacts WHERE id = $1
UNION
SELECT contact_id FROM contact_numbers WHERE digest = ANY($2::text[])
