-- Returns whether this session held the lock of the shard.
SELECT pg_advisory_unlock(hashtext('galw-shard:' || current_schema()), $1)
