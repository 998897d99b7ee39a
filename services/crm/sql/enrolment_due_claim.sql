-- Returns contacts that changed, taken off the list.
DELETE FROM enrolment_due
WHERE seq IN (SELECT seq FROM enrolment_due ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING contact_id
