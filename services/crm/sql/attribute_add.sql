-- Returns nothing; adds a catalogue entry.
INSERT INTO attributes (name, kind, label, choices, created_at) VALUES ($1, $2, $3, $4, $5)
