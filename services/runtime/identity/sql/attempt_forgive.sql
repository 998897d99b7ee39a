-- Returns nothing; takes back the failure counted for a try that succeeded, with all earlier ones where $2.
UPDATE sign_in_attempts
SET failures = CASE WHEN $2 THEN 0 ELSE greatest(failures - 1, 0) END, locked_until = tried_at
WHERE subject = $1
