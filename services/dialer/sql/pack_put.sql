-- Nothing; the version is in force.
INSERT INTO packs_in_force (id, version) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET version = excluded.version
