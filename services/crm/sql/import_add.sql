-- Returns nothing; writes a new import, whose file is about to arrive.
INSERT INTO imports (
    id, state, filename, encoding, delimiter, header, mapping, default_region, date_format, started_by, created_at
)
VALUES ($1, 'receiving', $2, $3, $4, $5, $6, $7, $8, $9, $10)
