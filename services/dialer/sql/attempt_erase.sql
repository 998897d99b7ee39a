-- Nothing; the numbers of the people's ended attempts are blanked.
UPDATE attempts SET phone = '', decision = '{}' WHERE contact_id = ANY($1::uuid[]) AND state = 'ended'
