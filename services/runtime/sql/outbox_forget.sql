-- Returns nothing; takes a person out of the facts: what was sent is emptied, what still has to go is emptied after it.
UPDATE outbox
SET payload = CASE WHEN epoch IS NULL THEN payload ELSE ''::bytea END, forget = true
WHERE key = $1 AND topic <> ALL($2::text[])
