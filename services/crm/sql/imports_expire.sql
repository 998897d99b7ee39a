-- Returns the ids of uploads that were cut off; they have failed.
UPDATE imports SET state = 'failed', finished_at = $2, failure = 'The upload was cut off before the end of the file.'
WHERE state = 'receiving' AND created_at < $1
RETURNING id
