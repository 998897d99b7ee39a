-- Writes what a person wrote.
INSERT INTO inbound_messages (
    id, provider_id, channel, address_digest, contact_ids, text, meaning, keyword, received_at, answer_id
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
