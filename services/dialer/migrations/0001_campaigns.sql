-- Pools, scripts, campaigns, leads: what is to be called.

CREATE TABLE pools (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    wrap_up_limit_s integer NOT NULL DEFAULT 60 CHECK (wrap_up_limit_s BETWEEN 0 AND 3600),
    lost_grace_s integer NOT NULL DEFAULT 10 CHECK (lost_grace_s BETWEEN 1 AND 120),
    offer_limit_s integer NOT NULL DEFAULT 60 CHECK (offer_limit_s BETWEEN 5 AND 3600),
    shadow_mode text CHECK (shadow_mode IN ('preview', 'progressive', 'ratio', 'predictive', 'agentless'))
);

-- What pacing has learned of a pool, for its next owner.
CREATE TABLE pacing_states (
    pool_id uuid PRIMARY KEY REFERENCES pools,
    state jsonb NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now()
);

-- What pacing decided in the last hour, and why.
CREATE TABLE pacing_diary (
    pool_id uuid NOT NULL REFERENCES pools,
    at timestamptz NOT NULL,
    dial jsonb NOT NULL,
    explain jsonb NOT NULL,
    shadow jsonb NOT NULL
);
CREATE INDEX pacing_diary_at ON pacing_diary (pool_id, at);

-- The owner of a pool: the instance that places its calls. Time is the database's.
CREATE TABLE leases (
    pool_id uuid PRIMARY KEY REFERENCES pools,
    owner uuid,
    address text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL DEFAULT '-infinity'
);

-- Dialer instances that are alive; an operator whose instance is silent is treated as disconnected.
CREATE TABLE dialers (
    id uuid PRIMARY KEY,
    address text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE scripts (
    id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    name text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (id, version)
);

CREATE TABLE campaigns (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'running', 'paused', 'finished', 'stopped')),
    pool_id uuid NOT NULL REFERENCES pools,
    script_id uuid,
    script_version integer,
    audience_id uuid,
    plan jsonb NOT NULL,
    version integer NOT NULL DEFAULT 1,
    launched_at timestamptz,
    ended_at timestamptz,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (script_id, script_version) REFERENCES scripts (id, version)
);
CREATE INDEX campaigns_pool ON campaigns (pool_id) WHERE state IN ('running', 'paused');

-- Who changed what, when: one row per change, never edited.
CREATE TABLE campaign_changes (
    campaign_id uuid NOT NULL REFERENCES campaigns,
    version integer NOT NULL,
    change text NOT NULL,
    before jsonb,
    after jsonb,
    at timestamptz NOT NULL,
    by uuid,
    PRIMARY KEY (campaign_id, version)
);

-- One row per person the dialer knows: the lock that orders what happens to a person, and the refusal.
CREATE TABLE people (
    contact_id uuid PRIMARY KEY,
    suppressed_at timestamptz,
    suppressed_by text,
    consent_sequence integer NOT NULL DEFAULT 0,
    erased_at timestamptz
);

-- Numbers nobody may call, by keyed digest, whoever the contact is.
CREATE TABLE suppressed_numbers (
    digest text PRIMARY KEY,
    suppressed_at timestamptz NOT NULL,
    source text NOT NULL
);

CREATE TABLE consents (
    contact_id uuid NOT NULL,
    sequence integer NOT NULL,
    kind text NOT NULL,
    purpose text,
    channel text NOT NULL,
    given_at timestamptz NOT NULL,
    outside_hours boolean NOT NULL DEFAULT false,
    PRIMARY KEY (contact_id, sequence)
);

-- Withdrawals stay apart from what they end: a consent that is heard late must not outlive them.
CREATE TABLE withdrawals (
    contact_id uuid NOT NULL,
    channel text NOT NULL,
    purpose text,
    at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (contact_id, channel, purpose, at)
);

-- How fresh the view of consents is, per shard of the CRM's stream.
CREATE TABLE consent_watermarks (
    shard smallint PRIMARY KEY,
    at timestamptz NOT NULL
);

CREATE TABLE leads (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaigns,
    contact_id uuid NOT NULL REFERENCES people,
    state text NOT NULL CHECK (state IN ('waiting', 'busy', 'finished')),
    result text CHECK (result IN ('reached', 'not_reached', 'refused', 'invalid', 'withdrawn')),
    person jsonb NOT NULL,
    phones jsonb NOT NULL,
    priority smallint NOT NULL DEFAULT 0,
    stream smallint NOT NULL DEFAULT 1 CHECK (stream IN (0, 1, 2, 3)),
    next_at timestamptz NOT NULL,
    held_by text,
    step smallint NOT NULL DEFAULT 0,
    phone_index smallint NOT NULL DEFAULT 0,
    attempts smallint NOT NULL DEFAULT 0,
    tries jsonb NOT NULL DEFAULT '{}',
    callback_operator uuid,
    version integer NOT NULL DEFAULT 1,
    enrolled_at timestamptz NOT NULL,
    UNIQUE (campaign_id, contact_id)
);
COMMENT ON COLUMN leads.stream IS '0 callback, 1 fresh, 2 retry, 3 message: separate queues, so that none starves another';
CREATE INDEX leads_due ON leads (campaign_id, stream, priority DESC, next_at, id) WHERE state = 'waiting';
CREATE INDEX leads_contact ON leads (contact_id);
