-- Returns the lines of ledgers, each person's in order.
SELECT c.person_id, sequence, change, kind, channel, purpose, at, source, outside_hours, expires_at, recorded_by
FROM unnest($1::uuid[]) AS wanted (person_id)
JOIN consents c ON c.person_id = wanted.person_id
ORDER BY c.person_id, sequence
