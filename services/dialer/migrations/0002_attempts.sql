-- Attempts, operators, trunks, stops, responses: what is being called and by whom.

CREATE TABLE trunks (
    id text PRIMARY KEY,
    calls_per_second numeric NOT NULL CHECK (calls_per_second > 0),
    channels integer NOT NULL CHECK (channels > 0),
    countries text[] NOT NULL,
    cost_per_attempt_micros bigint NOT NULL DEFAULT 0,
    spend_cap_micros bigint,
    spent_micros bigint NOT NULL DEFAULT 0,
    spend_on date NOT NULL DEFAULT current_date,
    next_slot_at timestamptz NOT NULL DEFAULT 'epoch'
);

-- A call id is its attempt's id and its channel's id.
CREATE TABLE attempts (
    id uuid PRIMARY KEY,
    lead_id uuid NOT NULL REFERENCES leads,
    campaign_id uuid NOT NULL,
    pool_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    phone text NOT NULL,
    number_digest text NOT NULL,
    n integer NOT NULL,
    mode text NOT NULL,
    trunk text NOT NULL REFERENCES trunks,
    caller_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('reserved', 'dialing', 'ringing', 'answered', 'connected', 'ended')),
    version integer NOT NULL DEFAULT 1,
    epoch bigint NOT NULL,
    decision jsonb NOT NULL,
    ring_timeout_s integer NOT NULL,
    operator_id uuid,
    wanted_operator uuid,
    outcome text,
    cause integer,
    machine boolean NOT NULL DEFAULT false,
    abandoned boolean NOT NULL DEFAULT false,
    held boolean NOT NULL DEFAULT false,
    hangup_requested boolean NOT NULL DEFAULT false,
    reserved_at timestamptz NOT NULL,
    dial_slot_at timestamptz NOT NULL,
    dialed_at timestamptz,
    ringing_at timestamptz,
    answered_at timestamptz,
    connected_at timestamptz,
    ended_at timestamptz,
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    UNIQUE (lead_id, n)
);
-- At most one live call per number and per person, across all campaigns.
CREATE UNIQUE INDEX attempts_live_number ON attempts (number_digest) WHERE state <> 'ended';
CREATE UNIQUE INDEX attempts_live_person ON attempts (contact_id) WHERE state <> 'ended';
CREATE INDEX attempts_live_pool ON attempts (pool_id) WHERE state <> 'ended';
CREATE INDEX attempts_live_trunk ON attempts (trunk) WHERE state <> 'ended';
CREATE INDEX attempts_person ON attempts (contact_id, reserved_at);
CREATE INDEX attempts_campaign ON attempts (campaign_id, reserved_at);

CREATE TABLE operators (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    pool_id uuid NOT NULL REFERENCES pools,
    skills text[] NOT NULL DEFAULT '{}',
    state text NOT NULL CHECK (
        state IN ('offline', 'ready', 'reserved', 'talking', 'wrap_up', 'paused', 'lost')
    ),
    reason text,
    since timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    attempt_id uuid,
    offer_lead_id uuid,
    next_state text CHECK (next_state IN ('ready', 'paused', 'offline')),
    next_reason text,
    ready_in_at timestamptz,
    instance_id uuid,
    disconnected_at timestamptz,
    CHECK ((state IN ('talking', 'wrap_up')) <= (attempt_id IS NOT NULL))
);
CREATE INDEX operators_pool ON operators (pool_id) WHERE state <> 'offline';
-- An operator is never in two calls, and a call never has two operators.
CREATE UNIQUE INDEX operators_attempt ON operators (attempt_id) WHERE attempt_id IS NOT NULL;

CREATE TABLE responses (
    attempt_id uuid PRIMARY KEY REFERENCES attempts,
    revision integer NOT NULL DEFAULT 1,
    campaign_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    operator_id uuid NOT NULL,
    script_id uuid NOT NULL,
    script_version integer NOT NULL,
    language text NOT NULL,
    answers jsonb NOT NULL DEFAULT '{}',
    disposition text,
    note text NOT NULL DEFAULT '',
    at timestamptz NOT NULL
);

-- Emergency stops in force; scope 'all', 'campaign' or 'trunk'.
CREATE TABLE stops (
    scope text NOT NULL CHECK (scope IN ('all', 'campaign', 'trunk')),
    target text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    by uuid,
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (scope, target)
);
CREATE INDEX attempts_ended ON attempts (ended_at) WHERE ended_at IS NOT NULL;
