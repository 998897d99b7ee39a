-- Returns nothing; deletes the personal facts about a person, sent or not.
DELETE FROM outbox WHERE key = $1 AND topic = ANY($2::text[])
