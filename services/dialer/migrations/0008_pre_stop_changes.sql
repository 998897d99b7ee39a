-- Who stopped or lifted what, when and why; a lifted stop leaves its trace here.
CREATE TABLE stop_changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    target text NOT NULL,
    change text NOT NULL CHECK (change IN ('stopped', 'lifted')),
    at timestamptz NOT NULL,
    by uuid,
    reason text NOT NULL DEFAULT ''
);
INSERT INTO stop_changes (scope, target, change, at, by, reason)
SELECT scope, target, 'stopped', at, by, reason FROM stops ORDER BY at;
