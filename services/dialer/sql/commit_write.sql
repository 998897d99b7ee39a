-- Nothing; a batch's attempts, operators, leads and responses, given as JSON, replace what may change of those stored.
SELECT commit_write($1::json, $2::json, $3::json, $4::json)
