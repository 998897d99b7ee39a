-- Returns nothing; inserts the given facts in the given order.
SELECT outbox_append($1, $2, $3, $4::smallint[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::bytea[])
