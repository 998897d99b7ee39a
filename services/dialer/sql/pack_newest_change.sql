-- The number of the newest change, 0 when there was none.
SELECT coalesce(max(number), 0) FROM pack_changes
