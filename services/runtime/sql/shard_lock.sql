-- Returns whether this session now holds the lock of the shard.
SELECT pg_try_advisory_lock(hashtext('galw-shard:' || current_schema()), $1)
