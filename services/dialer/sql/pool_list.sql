-- Every pool.
SELECT id, name, wrap_up_limit_s, lost_grace_s, offer_limit_s, shadow_mode FROM pools ORDER BY name
