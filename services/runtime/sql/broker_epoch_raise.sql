-- Returns the new epoch of a topic: higher than its own and than the one that was seen on the broker.
INSERT INTO broker_epochs (topic, epoch) VALUES ($1, $2 + 1)
ON CONFLICT (topic) DO UPDATE SET epoch = greatest(broker_epochs.epoch, $2) + 1, raised_at = now()
RETURNING epoch
