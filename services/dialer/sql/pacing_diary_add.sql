-- New decisions of a pool.
INSERT INTO pacing_diary (pool_id, at, dial, explain, shadow)
SELECT $1, e.at, e.dial, e.explain, e.shadow
FROM unnest($2::timestamptz[], $3::jsonb[], $4::jsonb[], $5::jsonb[]) AS e (at, dial, explain, shadow)
