-- Returns nothing; removes the numbers of contacts, before they are written anew.
DELETE FROM contact_numbers WHERE contact_id = ANY($1::uuid[])
