-- A live attempt is one without an end. Told by ended_at, which changes once, and not by the state, which changes five
-- times, these indexes let every transition but the last rewrite the row in place (a heap-only tuple).
-- Not built concurrently: no deployment has run yet, so the table is small, and a transaction is safer.
-- squawk-ignore-file
ALTER TABLE attempts ADD CONSTRAINT attempts_end_is_told CHECK ((state = 'ended') = (ended_at IS NOT NULL));
DROP INDEX attempts_live_number;
DROP INDEX attempts_live_person;
DROP INDEX attempts_live_pool;
DROP INDEX attempts_live_trunk;
CREATE UNIQUE INDEX attempts_live_number ON attempts (number_digest) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX attempts_live_person ON attempts (contact_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_live_pool ON attempts (pool_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_live_trunk ON attempts (trunk) WHERE ended_at IS NULL;
ALTER TABLE attempts SET (fillfactor = 70);
