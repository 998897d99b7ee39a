-- Makes rows for people who have none.
INSERT INTO recipients (contact_id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING
