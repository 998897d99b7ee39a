-- Returns until when the subject is locked; at most one row.
SELECT locked_until FROM sign_in_attempts WHERE subject = $1
