-- Nothing; a pool with its lease, free to be taken.
WITH made AS (
    INSERT INTO pools (id, name, wrap_up_limit_s, lost_grace_s, offer_limit_s, shadow_mode) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING id
)
INSERT INTO leases (pool_id) SELECT id FROM made
