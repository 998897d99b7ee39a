-- Audiences, and who joined which campaign.

CREATE TABLE audiences (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    filter jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by uuid
);
CREATE UNIQUE INDEX audiences_name ON audiences (name);

-- The dialer's campaigns, as far as enrolment needs them.
CREATE TABLE campaigns (
    id uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'running', 'paused', 'finished', 'stopped')),
    purpose text NOT NULL,
    audience_id uuid,
    -- How far the walk over all contacts has come; null before it begins.
    walked_to uuid,
    walked_at timestamptz
);
CREATE INDEX campaigns_to_walk ON campaigns (id) WHERE walked_at IS NULL AND state IN ('running', 'paused');
CREATE INDEX campaigns_audience ON campaigns (audience_id);

CREATE TABLE enrolments (
    campaign_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    enrolled_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    PRIMARY KEY (campaign_id, contact_id)
);
CREATE INDEX enrolments_contact ON enrolments (contact_id);

-- Contacts that changed since campaigns last looked at them. Writers only append and the worker only deletes, so they
-- never wait for each other; a contact may stand here twice.
CREATE TABLE enrolment_due (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contact_id uuid NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01);
