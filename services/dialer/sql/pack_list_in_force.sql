-- The organisation's packs that are in force.
SELECT p.id, p.version, p.body, p.shipped FROM packs_in_force AS f
JOIN packs AS p ON p.id = f.id AND p.version = f.version ORDER BY p.id
