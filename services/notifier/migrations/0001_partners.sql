-- Partners, their endpoints, and what was sent to them.

CREATE TABLE partners (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    -- Null: facts of every campaign. Else only facts of these, and nothing that belongs to no campaign.
    campaign_ids uuid[],
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX partners_name ON partners (lower(name));

CREATE TABLE endpoints (
    id uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partners,
    url text NOT NULL CHECK (url <> ''),
    description text NOT NULL DEFAULT '',
    -- Event types, prefixes that end in ".*", or "*".
    subscriptions text[] NOT NULL,
    enabled boolean NOT NULL,
    disabled_reason text,
    disabled_at timestamptz,
    -- The first failure after the last success, and how many followed.
    failing_since timestamptz,
    failures integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    -- Kept for the sake of the log; an endpoint that was removed is neither shown nor told anything.
    removed_at timestamptz,
    CHECK ((failing_since IS NULL) = (failures = 0)),
    CHECK (enabled = (disabled_at IS NULL))
);

CREATE INDEX endpoints_partner ON endpoints (partner_id, id) WHERE removed_at IS NULL;

CREATE TABLE endpoint_secrets (
    id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES endpoints,
    scheme text NOT NULL CHECK (scheme IN ('v1', 'v1a')),
    -- Opens only with the key derived from GALW_SECRET_KEY, and only for this endpoint.
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Null for the current secret; an old one signs along until then.
    expires_at timestamptz
);

CREATE UNIQUE INDEX endpoint_secrets_current ON endpoint_secrets (endpoint_id) WHERE expires_at IS NULL;
CREATE INDEX endpoint_secrets_old ON endpoint_secrets (endpoint_id, expires_at) WHERE expires_at IS NOT NULL;

-- Public events that at least one endpoint is told of, each once.
CREATE TABLE webhook_events (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    -- The very bytes that are signed and sent: jsonb would order the keys anew and break every signature.
    payload bytea NOT NULL
);

CREATE INDEX webhook_events_stored_at ON webhook_events (stored_at);

-- One row per event and endpoint: telling twice is impossible to ask for.
CREATE TABLE deliveries (
    event_id uuid NOT NULL REFERENCES webhook_events ON DELETE CASCADE,
    endpoint_id uuid NOT NULL REFERENCES endpoints,
    -- held: the endpoint is disabled; nothing is sent until somebody replays it.
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'exhausted', 'held')),
    attempts integer NOT NULL DEFAULT 0,
    -- Also the end of the lease of whoever is sending it: a crash makes it due again.
    next_attempt_at timestamptz NOT NULL,
    claim uuid,
    settled_at timestamptz,
    PRIMARY KEY (event_id, endpoint_id),
    CHECK ((settled_at IS NULL) = (state IN ('pending', 'held')))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, fillfactor = 85);

CREATE INDEX deliveries_due ON deliveries (endpoint_id, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_log ON deliveries (endpoint_id, event_id);
CREATE INDEX deliveries_settled_at ON deliveries (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE delivery_attempts (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    url text NOT NULL,
    request_headers jsonb NOT NULL,
    status smallint,
    failure text,
    detail text NOT NULL DEFAULT '',
    response_headers jsonb,
    -- The first 16 KiB.
    response_body bytea,
    FOREIGN KEY (event_id, endpoint_id) REFERENCES deliveries ON DELETE CASCADE
);

CREATE INDEX delivery_attempts_delivery ON delivery_attempts (event_id, endpoint_id, started_at);
