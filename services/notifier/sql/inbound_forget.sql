-- Empties what somebody wrote.
UPDATE inbound_messages SET text = '', address_digest = NULL WHERE contact_ids @> ARRAY[$1::uuid]
