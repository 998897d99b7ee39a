-- Returns what is forbidden for a contact's numbers, whoever said it: somebody known by the number only, or another holder.
SELECT n.e164, s.channel, s.purpose, s.source, s.at, s.expires_at
FROM contact_numbers n
JOIN suppressions s ON s.number_digest = n.digest
WHERE n.contact_id = $1 AND s.person_id <> $1
ORDER BY n.position, s.at, s.channel, s.purpose
