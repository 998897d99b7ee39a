-- Every pool with who owns it now, if anybody.
SELECT pool_id, owner, address, epoch, expires_at > clock_timestamp() AS held FROM leases ORDER BY pool_id
