-- Returns the lines of subjects.
SELECT subject, channel, purpose, withdrawn, at FROM consents WHERE subject = ANY($1::text[])
