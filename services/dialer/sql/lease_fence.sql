-- The present epochs of these pools, kept until the end of the transaction.
SELECT pool_id, epoch FROM leases WHERE pool_id = ANY($1::uuid[]) ORDER BY pool_id FOR SHARE
