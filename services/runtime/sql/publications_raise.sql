-- Returns nothing; after a restore of our database, makes new publications greater than what others have confirmed.
-- No restore explains a larger step than ten million: such a number is forged and could use up the sequence.
SELECT setval('publications', $1) FROM publications WHERE last_value < $1 AND $1 - last_value < 10000000
