-- Which of these numbers nobody may call.
SELECT digest FROM suppressed_numbers WHERE digest = ANY($1::text[])
