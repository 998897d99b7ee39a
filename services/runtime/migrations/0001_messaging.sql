-- What a service needs to announce facts, to hear them and to lose none.

-- Facts decided here. A row is unsent while epoch is null; "publication" grows with every attempt to send it.
CREATE SEQUENCE publications;

CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The shard is the partition: the last three bits of the key (runtime.outbox.shard_of).
    shard smallint NOT NULL CHECK (shard = (get_byte(uuid_send(key), 15) & 7)),
    topic text NOT NULL,
    key uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    time timestamptz NOT NULL,
    -- Empty once the person was forgotten. Personal facts are deleted when confirmed, or a day after they were made.
    payload bytea NOT NULL,
    traceparent text,
    -- Blank the payload as soon as it was sent.
    forget boolean NOT NULL DEFAULT false,
    epoch integer,
    publication bigint,
    CHECK ((epoch IS NULL) = (publication IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05, fillfactor = 90);

CREATE INDEX outbox_unsent ON outbox (topic, shard, seq) WHERE epoch IS NULL;
CREATE INDEX outbox_published ON outbox (topic, shard, publication) WHERE epoch IS NOT NULL;
CREATE INDEX outbox_key ON outbox (key);

-- Up to which publication each consumer of our facts has them in its own database; every consumer has its rows from
-- the start, so the least publication of a topic and shard is what everybody has.
CREATE TABLE confirmations (
    topic text NOT NULL,
    shard smallint NOT NULL,
    consumer text NOT NULL,
    publication bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, shard, consumer)
);

-- The epoch of each topic this service owns: how often the broker's log of it has begun anew.
CREATE TABLE broker_epochs (
    topic text PRIMARY KEY,
    epoch integer NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT now()
);

-- The running instances of this service, which share its shards.
CREATE TABLE instances (
    id uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

-- Events whose effect is in this schema; a repeat is a no-op.
CREATE TABLE inbox (
    id uuid PRIMARY KEY,
    expires_on date NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE INDEX inbox_expires_on ON inbox (expires_on);

-- How far each partition was read; written in the transaction of the effects.
CREATE TABLE positions (
    topic text NOT NULL,
    partition smallint NOT NULL,
    epoch integer NOT NULL,
    next_offset bigint NOT NULL,
    -- The marker of the epoch was read: from there on it is the log we mean, not an answer that is still from the old one.
    marked boolean NOT NULL DEFAULT false,
    PRIMARY KEY (topic, partition)
);

-- The highest publication of each producer seen in each partition: what we confirm to it.
CREATE TABLE watermarks (
    topic text NOT NULL,
    partition smallint NOT NULL,
    source text NOT NULL,
    publication bigint NOT NULL,
    PRIMARY KEY (topic, partition, source)
);

-- Records of a key that failed, and everything of that key since, in order.
CREATE TABLE parked (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    topic text NOT NULL,
    partition smallint NOT NULL,
    record_offset bigint NOT NULL,
    produced_at timestamptz NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    headers jsonb NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    parked_at timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz NOT NULL
);

CREATE INDEX parked_key ON parked (topic, key, seq);
CREATE INDEX parked_due ON parked (next_attempt_at);

-- Records that can never work, as they came, with the reason.
CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,
    topic text NOT NULL,
    partition smallint NOT NULL,
    record_offset bigint NOT NULL,
    produced_at timestamptz NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    reason text NOT NULL,
    dead_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX dead_letters_topic ON dead_letters (topic, dead_at);
