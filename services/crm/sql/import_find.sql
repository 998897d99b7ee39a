-- Returns the import.
SELECT id, state, filename, encoding, delimiter, header, mapping, default_region, date_format, size_bytes, last_row,
    position_bytes, created, updated, unchanged, rejected, failure, started_by, created_at, finished_at, claims FROM imports WHERE id = $1
