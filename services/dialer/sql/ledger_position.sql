-- How far the carrier's ledger was read, in bytes.
SELECT position FROM ledger_reading
