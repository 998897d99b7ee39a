-- Each row that a batch touches, locked until the end: its kind, id, version (a lease's epoch), what forbids a person.
-- People come first, then attempts, operators and leads, each in the order of their ids, so that batches wait for one
-- another and never in a circle; the pools' leases are only kept from changing.
WITH person AS MATERIALIZED (
    SELECT contact_id, suppressed_at IS NOT NULL OR erased_at IS NOT NULL AS suppressed, erased_at IS NOT NULL AS erased
    FROM people WHERE contact_id = ANY($1::uuid[]) ORDER BY contact_id FOR NO KEY UPDATE
), attempt AS MATERIALIZED (
    SELECT id, version FROM attempts WHERE id = ANY($2::uuid[]) ORDER BY id FOR UPDATE
), operator AS MATERIALIZED (
    SELECT id, version FROM operators WHERE id = ANY($3::uuid[]) ORDER BY id FOR UPDATE
), lead AS MATERIALIZED (
    SELECT id, version FROM leads WHERE id = ANY($4::uuid[]) ORDER BY id FOR UPDATE
), lease AS MATERIALIZED (
    SELECT pool_id, epoch FROM leases WHERE pool_id = ANY($5::uuid[]) ORDER BY pool_id FOR SHARE
)
SELECT 'person' AS kind, contact_id AS id, 0::bigint AS version, suppressed, erased FROM person
UNION ALL SELECT 'attempt', id, version, false, false FROM attempt
UNION ALL SELECT 'operator', id, version, false, false FROM operator
UNION ALL SELECT 'lead', id, version, false, false FROM lead
UNION ALL SELECT 'lease', pool_id, epoch, false, false FROM lease
