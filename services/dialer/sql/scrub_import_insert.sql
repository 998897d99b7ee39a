-- The number of an import in the order in which they came.
INSERT INTO scrub_imports (list, version_on, numbers, listed, older, at, by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING seq
