-- What happened to a person, and what the person answered. Ids come from other services, some of people we do not know.

CREATE TABLE timeline (
    contact_id uuid NOT NULL,
    at timestamptz NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (contact_id, at, id)
);

CREATE TABLE responses (
    attempt_id uuid NOT NULL,
    revision integer NOT NULL CHECK (revision > 0),
    campaign_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    operator_id uuid NOT NULL,
    script_id uuid NOT NULL,
    script_version integer NOT NULL,
    language text NOT NULL,
    disposition text NOT NULL,
    answers jsonb NOT NULL,
    note text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (attempt_id, revision)
);
CREATE INDEX responses_at ON responses (at, attempt_id);
CREATE INDEX responses_campaign ON responses (campaign_id, at, attempt_id);
CREATE INDEX responses_contact ON responses (contact_id, at);

-- Which operator had which person on the line: that operator may read the person.
CREATE TABLE handlings (
    attempt_id uuid PRIMARY KEY,
    contact_id uuid,
    operator_id uuid
);
CREATE INDEX handlings_contact ON handlings (contact_id);
