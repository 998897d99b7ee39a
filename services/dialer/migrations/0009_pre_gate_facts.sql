-- What the gate is told of a campaign and of a number, kept as it arises so that no decision counts calls.

CREATE TABLE answered_hours (
    campaign_id uuid NOT NULL REFERENCES campaigns,
    hour timestamptz NOT NULL,
    answered bigint NOT NULL,
    abandoned bigint NOT NULL,
    PRIMARY KEY (campaign_id, hour)
);
COMMENT ON TABLE answered_hours IS 'Ended calls that a person answered, and those of them who met nobody, by hour of answer';
INSERT INTO answered_hours (campaign_id, hour, answered, abandoned)
SELECT campaign_id, date_trunc('hour', answered_at, 'UTC'), count(*), count(*) FILTER (WHERE outcome = 'abandoned')
FROM attempts WHERE outcome IN ('answered', 'abandoned') AND answered_at IS NOT NULL
GROUP BY 1, 2;

-- Which version of a do-not-call list a number was compared with, and whether it stood there.
CREATE TABLE scrubs (
    digest text NOT NULL,
    list text NOT NULL,
    version_on date NOT NULL,
    listed boolean NOT NULL,
    PRIMARY KEY (digest, list)
);

-- Who brought which result when: one row per import, never edited.
CREATE TABLE scrub_imports (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list text NOT NULL,
    version_on date NOT NULL,
    numbers bigint NOT NULL,
    listed bigint NOT NULL,
    older bigint NOT NULL,
    at timestamptz NOT NULL,
    by uuid
);
