-- A pool's limits.
UPDATE pools SET name = $2, wrap_up_limit_s = $3, lost_grace_s = $4, offer_limit_s = $5, shadow_mode = $6 WHERE id = $1
RETURNING id
