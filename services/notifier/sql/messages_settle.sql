-- Writes what became of messages that are still claimed by the one who settles them; returns their ids.
UPDATE messages m
SET state = r.state, reason = r.reason, template_version = r.template_version, language = r.language,
    subject = r.subject, body = r.body, provider_id = r.provider_id, settled_at = $2, attempts = m.attempts + 1,
    claim = NULL
FROM unnest(
    $3::uuid[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::text[], $10::text[]
) AS r (id, state, reason, template_version, language, subject, body, provider_id)
WHERE m.id = r.id AND m.claim = $1 AND m.state = 'pending'
RETURNING m.id
