-- Locks people in the order of their ids.
SELECT contact_id FROM recipients WHERE contact_id = ANY($1::uuid[]) ORDER BY contact_id FOR UPDATE
