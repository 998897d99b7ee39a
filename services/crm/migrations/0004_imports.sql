-- Imports of contact files. The file waits in PostgreSQL, so that any instance can go on after a crash.

CREATE TABLE imports (
    id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('receiving', 'waiting', 'running', 'done', 'failed')),
    filename text NOT NULL,
    encoding text NOT NULL,
    delimiter text NOT NULL,
    header text[] NOT NULL,
    mapping jsonb NOT NULL,
    default_region text,
    date_format text NOT NULL,
    size_bytes bigint NOT NULL DEFAULT 0,
    -- The resume point: the last row that is committed, and the offset of the byte after it.
    last_row bigint NOT NULL DEFAULT 0,
    position_bytes bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    failure text,
    -- The worker that reads it, until when; a newer claim fences an older one.
    claim uuid,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    -- Claims since the last committed rows: a file that always ends its worker is given up.
    claims integer NOT NULL DEFAULT 0,
    started_by uuid,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX imports_open ON imports (id) WHERE state IN ('receiving', 'waiting', 'running');

CREATE TABLE import_blocks (
    import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
    begin_bytes bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (import_id, begin_bytes)
);

-- What was not taken. It quotes the file, so it is kept as long as somebody may mend it and not longer.
CREATE TABLE import_problems (
    import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
    row_number bigint NOT NULL,
    position smallint NOT NULL,
    field text NOT NULL,
    value text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (import_id, row_number, position)
);
