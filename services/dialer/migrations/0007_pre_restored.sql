-- How far this database has read the carrier's ledger of rings; a restored one has read less than there is.
CREATE TABLE ledger_reading (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0)
);
INSERT INTO ledger_reading DEFAULT VALUES;

-- Rings that the carrier has and this database has no attempt for: made after it was saved, or by somebody else.
CREATE TABLE unknown_rings (
    attempt_id uuid PRIMARY KEY,
    number_digest text NOT NULL,
    rang_at timestamptz NOT NULL,
    found_at timestamptz NOT NULL,
    released_at timestamptz,
    released_by uuid
);
CREATE INDEX unknown_rings_unreleased ON unknown_rings (number_digest) WHERE released_at IS NULL;
