-- Returns the attribute catalogue.
SELECT name, kind, label, choices FROM attributes ORDER BY name
