-- A call keeps the script version that it was placed with, whatever becomes of the campaign while it goes on.
ALTER TABLE attempts ADD COLUMN script_id uuid;
ALTER TABLE attempts ADD COLUMN script_version integer;
