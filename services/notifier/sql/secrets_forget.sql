-- Deletes secrets that sign no more.
DELETE FROM endpoint_secrets WHERE expires_at <= $1
