-- Rule packs as data: every text that was ever in force, and which of the organisation's own are in force now.

CREATE TABLE packs (
    id text NOT NULL,
    version text NOT NULL,
    body text NOT NULL,
    shipped boolean NOT NULL,
    kept_at timestamptz NOT NULL,
    kept_by uuid,
    PRIMARY KEY (id, version)
);
COMMENT ON TABLE packs IS 'Never edited, never deleted: a decision names versions, and is decided again from them';

CREATE TABLE packs_in_force (
    id text PRIMARY KEY,
    version text NOT NULL,
    FOREIGN KEY (id, version) REFERENCES packs
);

-- Who put what in force, when; the highest number tells every instance that there is something new.
CREATE TABLE pack_changes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL,
    before text,
    after text,
    at timestamptz NOT NULL,
    by uuid
);

CREATE TABLE number_tables (
    version text PRIMARY KEY,
    body bytea NOT NULL,
    kept_at timestamptz NOT NULL
);
-- Writers wait meanwhile, as in 0003: a migration is one transaction.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX attempts_reserved ON attempts (reserved_at, id);
