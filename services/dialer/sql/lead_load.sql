-- One lead.
SELECT * FROM leads WHERE id = $1
