-- What people allowed and forbade.

-- The head of each person's ledger: its lock and its last sequence. A number that nobody holds is a person too, under
-- an id made from its digest.
CREATE TABLE consent_heads (
    person_id uuid PRIMARY KEY,
    sequence bigint NOT NULL CHECK (sequence >= 0)
);

-- Evidence, kept beyond the erasure of a contact (it names nobody), so there is no reference to contacts.
CREATE TABLE consents (
    person_id uuid NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    change text NOT NULL CHECK (change IN ('given', 'withdrawn')),
    kind text NOT NULL CHECK (kind IN ('express', 'written', 'optin')),
    channel text NOT NULL CHECK (channel IN ('voice', 'sms', 'email', 'all')),
    -- Null is every purpose.
    purpose text,
    at timestamptz NOT NULL,
    source text NOT NULL,
    outside_hours boolean NOT NULL,
    -- A withdrawal may be for a time only; null is for ever.
    expires_at timestamptz CHECK (expires_at IS NULL OR change = 'withdrawn'),
    recorded_at timestamptz NOT NULL,
    recorded_by uuid,
    PRIMARY KEY (person_id, sequence)
);

CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The consent ledger is append-only: add a line that corrects the wrong one.'
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER consents_append_only BEFORE UPDATE OR DELETE ON consents
    FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER consents_no_truncate BEFORE TRUNCATE ON consents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

-- What is forbidden now, folded from the ledger for set-based questions; it can be made again from it at any time.
-- Without a digest it forbids the person, with one the number, whoever holds it.
CREATE TABLE suppressions (
    person_id uuid NOT NULL,
    number_digest text,
    channel text NOT NULL CHECK (channel IN ('voice', 'sms', 'email', 'all')),
    purpose text,
    source text NOT NULL,
    at timestamptz NOT NULL,
    expires_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (person_id, number_digest, channel, purpose)
);
CREATE INDEX suppressions_number ON suppressions (number_digest) WHERE number_digest IS NOT NULL;
