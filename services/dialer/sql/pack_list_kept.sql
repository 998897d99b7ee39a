-- The kept packs of these ids and versions, those not kept left out.
SELECT p.id, p.version, p.body, p.shipped
FROM unnest($1::text[], $2::text[]) AS w (id, version) JOIN packs AS p ON p.id = w.id AND p.version = w.version
