-- Answers to requests that carried an Idempotency-Key, so that a repeat costs nothing and changes nothing.
CREATE TABLE idempotency (
    principal text NOT NULL,
    key text NOT NULL,
    route text NOT NULL,
    fingerprint bytea NOT NULL,
    -- Null while the first request is still being worked on.
    status smallint,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (principal, route, key)
);

CREATE INDEX idempotency_expires_at ON idempotency (expires_at);
