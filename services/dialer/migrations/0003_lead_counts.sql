-- Counting a campaign's leads reads an index and no lead: who waits for what until when, and who is done and why.
-- Writers wait meanwhile: the runner's transaction allows no other way.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX leads_waiting ON leads (campaign_id, stream, priority DESC, next_at, id) INCLUDE (held_by)
WHERE state = 'waiting';
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX leads_due;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX leads_not_waiting ON leads (campaign_id, state, result, held_by) WHERE state <> 'waiting';
