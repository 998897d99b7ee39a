-- Nothing; texts that are not kept yet are kept from now on.
INSERT INTO packs (id, version, body, shipped, kept_at, kept_by)
SELECT n.id, n.version, n.body, $4, $5, $6 FROM unnest($1::text[], $2::text[], $3::text[]) AS n (id, version, body)
ON CONFLICT DO NOTHING
