-- What reservations are judged on, in one round trip; people, leads, leases and trunks stay locked until the end.
SELECT * FROM reserve_ground($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::json, $7::text[])
