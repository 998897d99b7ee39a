-- Returns nothing of interest; makes instances that want to rotate wait for one another until commit.
SELECT pg_advisory_xact_lock(hashtext('galw identity'), hashtext('signing keys'))
