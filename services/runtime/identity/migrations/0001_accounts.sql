-- People who may sign in, their sessions, the keys that sign their tokens, and who is trying too often.

CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    password_hash text NOT NULL,
    roles text [] NOT NULL CHECK (
        cardinality(roles) > 0
        AND roles <@ ARRAY['admin', 'marketing', 'operator', 'supervisor', 'partner', 'auditor']
    ),
    partner_id uuid,
    team_ids uuid [] NOT NULL DEFAULT '{}',
    disabled boolean NOT NULL DEFAULT false,
    -- The password is printed in the documentation: good on loopback only.
    demo boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT accounts_email UNIQUE (email),
    -- A partner sees its own and nothing else, so it has no second role; nobody else belongs to one.
    CONSTRAINT accounts_partner CHECK (
        CASE WHEN 'partner' = ANY(roles)
            THEN partner_id IS NOT NULL AND cardinality(roles) = 1
            ELSE partner_id IS NULL
        END
    )
);

-- One sign-in and all the refresh tokens that follow from it; "generation" counts them.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    generation bigint NOT NULL DEFAULT 1,
    rotated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text CHECK (ended_because IN ('signed out', 'reused token', 'disabled', 'new password')),
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);

CREATE INDEX sessions_account ON sessions (account_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Keys that sign access tokens; the private half is encrypted with a key derived from GALW_SECRET_KEY.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    public jsonb NOT NULL,
    sealed text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Failed sign-ins per subject: the digest of an account's address, or a network address.
CREATE TABLE sign_in_attempts (
    subject text PRIMARY KEY,
    failures integer NOT NULL,
    tried_at timestamptz NOT NULL,
    locked_until timestamptz NOT NULL
);

CREATE INDEX sign_in_attempts_tried_at ON sign_in_attempts (tried_at);
