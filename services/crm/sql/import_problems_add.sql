-- Returns nothing; notes what was not taken.
INSERT INTO import_problems (import_id, row_number, position, field, value, reason)
SELECT $1, * FROM unnest($2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::text[])
