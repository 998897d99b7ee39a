-- Returns all signing keys, the newest first.
SELECT kid, public, sealed, created_at FROM signing_keys ORDER BY created_at DESC, kid
