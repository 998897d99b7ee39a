-- Nothing; a trunk's limits are set.
INSERT INTO trunks (id, calls_per_second, channels, countries, cost_per_attempt_micros, spend_cap_micros)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE
SET calls_per_second = excluded.calls_per_second, channels = excluded.channels, countries = excluded.countries,
    cost_per_attempt_micros = excluded.cost_per_attempt_micros, spend_cap_micros = excluded.spend_cap_micros
