-- What is known of these people's refusal.
SELECT contact_id, suppressed_at FROM people WHERE contact_id = ANY($1::uuid[])
