-- Empties what is personal about somebody; what was not sent will not be.
UPDATE messages
SET address = '', address_digest = NULL, variables = '{}', subject = '', body = ''
WHERE contact_id = $1
