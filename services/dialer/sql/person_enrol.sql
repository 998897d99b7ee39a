-- Nothing; the people are known from now on.
INSERT INTO people (contact_id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING
