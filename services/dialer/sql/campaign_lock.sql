-- One campaign, locked until the end of the transaction.
SELECT * FROM campaigns WHERE id = $1 FOR UPDATE
