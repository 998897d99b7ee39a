-- Contacts: the people, their numbers, and what may be known about them.

CREATE TABLE attributes (
    name text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('text', 'number', 'date', 'bool', 'choice')),
    label text NOT NULL DEFAULT '',
    choices text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
);

CREATE TABLE contacts (
    id uuid PRIMARY KEY,
    external_id text,
    name text NOT NULL DEFAULT '',
    language text,
    country text,
    region text,
    postal_code text,
    time_zone text,
    email text,
    relationship text NOT NULL DEFAULT 'none'
        CHECK (relationship IN ('none', 'customer', 'former_customer', 'enquiry')),
    relationship_since date,
    attributes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object'),
    sequence bigint NOT NULL CHECK (sequence > 0),
    -- Tells a person without an external id from another: name and numbers (domain.contacts.fingerprint).
    fingerprint bytea,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    erased_at timestamptz,
    CHECK (erased_at IS NULL OR (
        name = '' AND num_nulls(external_id, language, country, region, postal_code, time_zone, email, fingerprint) = 8
        AND attributes = '{}'
    ))
);
CREATE UNIQUE INDEX contacts_external_id ON contacts (external_id);
-- Two imports of one file that run at once cannot both create a person.
CREATE UNIQUE INDEX contacts_fingerprint_alone ON contacts (fingerprint) WHERE external_id IS NULL;
CREATE INDEX contacts_fingerprint ON contacts (fingerprint, id);
CREATE INDEX contacts_name ON contacts (lower(name) text_pattern_ops, id) WHERE erased_at IS NULL;
CREATE INDEX contacts_country ON contacts (country, id) WHERE erased_at IS NULL;

-- One number may belong to several contacts: families and firms share them.
CREATE TABLE contact_numbers (
    contact_id uuid NOT NULL REFERENCES contacts,
    position smallint NOT NULL CHECK (position BETWEEN 1 AND 10),
    e164 text NOT NULL CHECK (e164 ~ '^\+[1-9][0-9]{3,14}$'),
    kind text NOT NULL CHECK (kind IN ('mobile', 'landline', 'unknown')),
    -- The keyed digest under which services speak about the number without naming it.
    digest text NOT NULL,
    PRIMARY KEY (contact_id, position),
    UNIQUE (contact_id, e164)
);
CREATE INDEX contact_numbers_e164 ON contact_numbers (e164);
CREATE INDEX contact_numbers_digest ON contact_numbers (digest);
