-- Nothing; the ledger was read on from $1 to $2, unless somebody else was first.
UPDATE ledger_reading SET position = $2 WHERE position = $1
