-- Returns the epoch of each topic this service owns.
SELECT topic, epoch FROM broker_epochs
