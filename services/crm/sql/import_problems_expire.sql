-- Returns nothing; removes problems of imports that ended long ago, since they quote personal data.
DELETE FROM import_problems p USING imports i WHERE i.id = p.import_id AND i.finished_at < $1
