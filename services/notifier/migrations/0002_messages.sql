-- Templates, messages to people, what people wrote back, and who said no.

CREATE TABLE templates (
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    version integer NOT NULL CHECK (version > 0),
    channel text NOT NULL CHECK (channel IN ('sms', 'email')),
    default_language text NOT NULL,
    -- Language → {"subject": …, "body": …}. A version is never edited.
    texts jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (name, version)
);

-- The last word of a person, or of an address under its digest, about a scope.
CREATE TABLE consents (
    subject text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('voice', 'sms', 'email', 'all')),
    -- Empty: every purpose.
    purpose text NOT NULL,
    withdrawn boolean NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (subject, channel, purpose)
);

-- One row per person a message or reply concerns. Facts about a person are announced under its lock, hence in order.
CREATE TABLE recipients (contact_id uuid PRIMARY KEY);

CREATE TABLE messages (
    id uuid PRIMARY KEY,
    -- A repeated request is a no-op.
    request_id uuid NOT NULL UNIQUE,
    contact_id uuid NOT NULL,
    campaign_id uuid,
    channel text NOT NULL CHECK (channel IN ('sms', 'email')),
    -- Empty after the retention, or when the person was erased; the digest outlives it for inbound messages.
    address text NOT NULL,
    address_digest text,
    template text NOT NULL,
    wanted_language text,
    variables jsonb NOT NULL,
    purpose text NOT NULL,
    answers_opt_out boolean NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sent', 'delivered', 'failed', 'suppressed', 'expired')),
    reason text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    claim uuid,
    template_version integer,
    language text,
    subject text NOT NULL DEFAULT '',
    body text NOT NULL DEFAULT '',
    provider_id text,
    settled_at timestamptz,
    CHECK ((settled_at IS NULL) = (state = 'pending'))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, fillfactor = 85);

CREATE INDEX messages_due ON messages (next_attempt_at) WHERE state = 'pending';
CREATE INDEX messages_address_digest ON messages (address_digest, requested_at) WHERE address_digest IS NOT NULL;
CREATE INDEX messages_contact ON messages (contact_id, id);
CREATE INDEX messages_settled_at ON messages (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX messages_unblanked ON messages (requested_at) WHERE address <> '' OR body <> '';

CREATE TABLE inbound_messages (
    id uuid PRIMARY KEY,
    -- The provider's own id, so that its repeats are no-ops.
    provider_id text UNIQUE,
    channel text NOT NULL CHECK (channel IN ('sms', 'email')),
    address_digest text,
    contact_ids uuid[] NOT NULL,
    text text NOT NULL,
    meaning text NOT NULL CHECK (meaning IN ('opt_out', 'help', 'reply')),
    keyword text,
    received_at timestamptz NOT NULL,
    answer_id uuid
);

CREATE INDEX inbound_messages_received_at ON inbound_messages (received_at);
CREATE INDEX inbound_messages_contacts ON inbound_messages USING gin (contact_ids);
