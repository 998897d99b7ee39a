-- The database's time when the whole batch fits what is stored and is written with its facts; null when nothing was.
SELECT commit_batch(
    $1::uuid[], $2::json, $3::json, $4::json, $5::json, $6::json, $7::json,
    $8, $9, $10::smallint[], $11::text[], $12::uuid[], $13::uuid[], $14::text[], $15::bytea[]
)
