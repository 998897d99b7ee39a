-- Nothing; the table is kept from now on.
INSERT INTO number_tables (version, body, kept_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
