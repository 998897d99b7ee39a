-- How many calls a second each trunk takes.
SELECT id, calls_per_second::float8 AS calls_per_second FROM trunks
