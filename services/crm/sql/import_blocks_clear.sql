-- Returns nothing; removes the file of an import.
DELETE FROM import_blocks WHERE import_id = $1
